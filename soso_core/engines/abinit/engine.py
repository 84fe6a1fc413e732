"""The label of one configuration: pseudopotentials, runs, conditions, quality."""

import os
import shutil
import tempfile
from pathlib import Path

from soso_core.configuration import Configuration
from soso_core.engines.abinit.gates import agreement, check_output, describe_unconverged, make_label
from soso_core.engines.abinit.input_file import Mixing, atom_types, pseudopotential_name, write_input
from soso_core.engines.abinit.output_file import AbinitError, AbinitOutput, error_message, last_step, parse_output
from soso_core.engines.abinit.process import INPUT_NAME, Finished, run, split_command
from soso_core.engines.abinit.pseudopotentials import pseudopotentials_of
from soso_core.engines.abinit.settings import AbinitSettings
from soso_core.errors import ConvergenceError, InputError, SosoError
from soso_core.labels import LabelledConfiguration
from soso_core.neighbours import find_neighbours

GENTLER_DIEMIX = 0.4
"""Factor of every step of the potential in the second attempt."""


class OutOfTimeError(ConvergenceError):
    """A run was stopped after `timeout_seconds`; one with gentler mixing would take even longer."""


def check(configuration: Configuration, settings: AbinitSettings) -> None:
    """Raise InputError when ABINIT or a pseudopotential is missing, or spheres of moments overlap."""
    split_command(settings.command)
    pseudopotentials_of(configuration, settings)
    if settings.keep_failed_in is not None:
        _check_folder(settings.keep_failed_in)
    pairs = find_neighbours(configuration, 2.0 * settings.moment_radius_angstrom)
    if len(pairs.i_p):
        raise InputError(
            f"{pairs.words(0)} are closer than two moment_radius_angstrom "
            f"({settings.moment_radius_angstrom:g} Å): their moments would overlap"
        )


def label(configuration: Configuration, settings: AbinitSettings) -> LabelledConfiguration:
    """Return energy, exchange fields, moment magnitudes, forces and stress of one configuration, by ABINIT.

    A run that does not converge, or whose moments are not along the requested directions, is repeated once with
    gentler mixing.  When the residual of both stays small without reaching `tolvrs`, they make a label if they agree
    (`gates.agreement`).  The label is at the achieved directions.

    Raises InputError as `check`, ConvergenceError when neither attempt converged to moments along the spins and they do
    not agree, and AbinitError when ABINIT crashed or left an incomplete output.
    """
    check(configuration, settings)
    mixing = Mixing(settings.magcon_lambda, settings.max_iterations)
    first, reason = _try_mixing(configuration, settings, mixing)
    if first is not None and reason is None:
        return make_label(configuration, first, settings)
    gentler = Mixing(0.5 * mixing.magcon_lambda, 2 * mixing.max_iterations, GENTLER_DIEMIX)
    second, again = _try_mixing(configuration, settings, gentler)
    if second is not None and again is None:
        return make_label(configuration, second, settings)
    if first is None or second is None:
        raise ConvergenceError(f"{reason}; with gentler mixing: {again}")
    best, change = agreement(configuration, first, second)
    return make_label(configuration, best, settings, change)


def _try_mixing(
    configuration: Configuration, settings: AbinitSettings, mixing: Mixing
) -> tuple[AbinitOutput | None, str | None]:
    """Return the output, None when it is not usable, and why it is not a label by itself, None when it is."""
    try:
        output = _attempt(configuration, settings, mixing)
    except OutOfTimeError:
        raise
    except ConvergenceError as error:
        return None, str(error)
    return output, None if output.is_converged else describe_unconverged(output, settings)


def prepare(folder: Path, configuration: Configuration, settings: AbinitSettings, mixing: Mixing) -> None:
    """Write the input files of ABINIT into a folder.  Raises InputError when a pseudopotential is missing."""
    files = pseudopotentials_of(configuration, settings)
    (folder / INPUT_NAME).write_text(write_input(configuration, settings, files, mixing), encoding="ascii")
    for i, (symbol, _) in enumerate(atom_types(configuration)[0]):
        shutil.copyfile(files[symbol].path, folder / pseudopotential_name(i))


def _attempt(configuration: Configuration, settings: AbinitSettings, mixing: Mixing) -> AbinitOutput:
    """Run once in a temporary folder.  Raises ConvergenceError or AbinitError after `keep_failed_in` was obeyed."""
    with tempfile.TemporaryDirectory(prefix="soso-abinit-") as name:
        folder = Path(name)
        prepare(folder, configuration, settings, mixing)
        try:
            finished = run(settings.command, folder, settings.timeout_seconds)
            output = _read(finished, configuration, settings.timeout_seconds)
            check_output(configuration, output, settings)
            if not output.is_converged:
                _keep(folder, settings.keep_failed_in)
        except SosoError:
            _keep(folder, settings.keep_failed_in)
            raise
    return output


def _read(finished: Finished, configuration: Configuration, timeout_seconds: float) -> AbinitOutput:
    if finished.status is None:
        raise OutOfTimeError(
            f"ABINIT was stopped after {timeout_seconds:g} s (timeout_seconds), at step {last_step(finished.output)}"
        )
    if finished.status != 0:
        message = error_message(finished.log) or "without an error message"
        raise AbinitError(f"ABINIT ended with status {finished.status}: {message}")
    return parse_output(finished.output, len(configuration), is_constrained=configuration.n_magnetic > 0)


def _check_folder(where: Path) -> None:
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"keep_failed_in: cannot write {where}: {error.strerror}") from None
    if not os.access(where, os.W_OK):
        raise InputError(f"keep_failed_in: cannot write {where}")


def _keep(folder: Path, where: Path | None) -> None:
    """Copy the files of a failed run into the folder of the settings."""
    if where is None:
        return
    shutil.copytree(folder, tempfile.mkdtemp(prefix="failed-", dir=where), dirs_exist_ok=True)
