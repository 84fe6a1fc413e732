"""The command `soso predict` predicts the labels of configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from soso_core.app.paths import check_output
from soso_core.app.progress import progress_bar
from soso_core.errors import locate_errors
from soso_core.formats.atoms import configuration_from_atoms
from soso_core.formats.extxyz import read_atoms, write_atoms
from soso_core.labels import LabelledConfiguration
from soso_core.voigt import to_voigt

if TYPE_CHECKING:
    from soso_core.gp.model.fitted import FittedModel

LABELS = frozenset({"energy", "free_energy", "energies", "forces", "stress", "stresses"})
"""Labels in DATA that a prediction replaces."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="DATA with predicted labels.")
def predict(model: Path, data: Path, output: Path) -> None:
    """Predict energy, exchange fields, forces and stress of every configuration of DATA, with error bars.

    Labels in DATA are replaced, all else is kept.  `energy_std` (eV), `exchange_fields_std` (eV/μB), `forces_std`
    (eV/Å) and `moments_std` (μB) are standard deviations of a new label.  Exchange fields are the effective fields over
    the moment magnitudes: the predicted ones, or else the column `moments` of DATA, or else the mean of the species in
    the training data.

    \b
    Example:
      soso predict model.soso data.extxyz -o predicted.extxyz
    """
    from soso_core.gp.model.model_file import load_model

    check_output(output, [model, data])
    fitted = load_model(model)
    predicted, n_guessed = [], 0
    with progress_bar() as progress:
        for i, atoms in enumerate(progress.track(read_atoms(data), description="predicting")):
            with locate_errors(f"{data}, configuration {i}"):
                frame, guessed = predict_frame(fitted, atoms)
            predicted.append(frame)
            n_guessed += guessed
    write_atoms(output, predicted)
    if n_guessed:
        click.echo(f"soso: warning: {n_guessed} atoms have no known moment magnitude; 1 μB was assumed", err=True)
    for target, what in (("force", "forces"), ("stress", "stresses")):
        if target not in fitted.hyperparameters.noise:
            click.echo(f"note: the model was fitted to no {what}; those predicted follow from the energies alone")
    click.echo(f"{len(predicted)} configurations predicted, written to {output}")


def predict_frame(model: FittedModel, atoms: Atoms) -> tuple[Atoms, int]:
    """Return a copy of a frame with predicted labels, and the number of its atoms with an unknown moment magnitude."""
    configuration = configuration_from_atoms(atoms)
    prediction = model.predict(configuration, with_force_std=True)
    given = LabelledConfiguration(configuration, moment_magnitudes_a=atoms.arrays.get("moments"))
    known_a = model.moment_magnitudes(configuration, given.moment_magnitudes_a, missing="nan")
    moment_magnitudes_a = np.where(np.isnan(known_a), 1.0, known_a)
    frame = atoms.copy()
    per_moment_a = np.zeros(len(frame))
    np.divide(1.0, moment_magnitudes_a, out=per_moment_a, where=configuration.is_magnetic_a)
    frame.set_array("moments", moment_magnitudes_a)
    if prediction.moments_std_a is not None and np.isfinite(prediction.moments_std_a).all():
        frame.set_array("moments_std", prediction.moments_std_a)
    frame.set_array("exchange_fields", prediction.effective_fields_ac * per_moment_a[:, None])
    assert prediction.effective_fields_std_ac is not None
    assert prediction.forces_std_ac is not None
    frame.set_array("exchange_fields_std", prediction.effective_fields_std_ac * per_moment_a[:, None])
    frame.set_array("forces_std", prediction.forces_std_ac)
    frame.info["energy_std"] = prediction.energy_std
    results = {} if atoms.calc is None else {key: x for key, x in atoms.calc.results.items() if key not in LABELS}
    results |= {"energy": prediction.energy, "forces": prediction.forces_ac, "stress": to_voigt(prediction.stress_cc)}
    frame.calc = SinglePointCalculator(frame, **results)
    return frame, int(np.isnan(known_a).sum())
