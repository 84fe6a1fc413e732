"""Entry point of the `soso` command: finds the subcommand, turns every error into one line and an exit code."""

import errno
import os
import signal
import sys
import warnings
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from soso_core import __version__
from soso_core.errors import SosoError
from soso_core.threads import one_blas_thread

COMMANDS = {
    "generate": ("explore_commands", "Choose a first batch to label, without a model."),
    "label": ("label_command", "Label configurations with an electronic-structure engine."),
    "check-fields": ("check_fields_command", "Compare the fields of an engine with finite energy differences."),
    "fit": ("fit_command", "Fit a model to energies, exchange fields, forces and stresses."),
    "predict": ("predict_command", "Predict energies, fields and forces, with error bars."),
    "evaluate": ("evaluate_command", "Compare predictions with labels."),
    "explore": ("explore_commands", "Choose the next batch to label, with a model."),
    "compare-models": ("compare_models_command", "Test whether more labels or another model form would help."),
    "study": ("study_command", "Replay active learning on data that are labelled already."),
    "data": ("data_commands", "Convert and check labelled data."),
    "warmup": ("warmup_command", "Compile all kernels now, so that later runs start at once."),
}
"""Module in `soso_core.app` and one-line help of each subcommand: `soso --help` imports none of the modules."""
TERMINATED = 143
"""128 + the number of the signal, as a shell reports it."""


class Interrupted(SosoError):
    """The user pressed Ctrl-C."""

    exit_code = 130


class SosoGroup(click.Group):
    """Import the module of a subcommand when it runs; errors end in `soso: error: ...`, never in a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a subcommand."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f"soso_core.app.{module}"), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of subcommands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; click alone would answer Ctrl-C with an empty line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None

    def main(  # type: ignore[override]  # one of the overloads of click never returns; this one never does
        self, args: Any = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run the command line and exit: 0 done, 1 failed, 2 bad input, 3 not converged, 130 interrupted."""
        if args is None:
            signal.signal(signal.SIGTERM, _terminate)
        extra.pop("standalone_mode", None)
        with warnings.catch_warnings(), one_blas_thread():
            warnings.simplefilter("ignore", DeprecationWarning)  # libraries address these two to programmers
            warnings.simplefilter("ignore", FutureWarning)
            warnings.showwarning = _show_warning
            sys.exit(self._status(args, extra))

    def _status(self, args: Any, extra: dict[str, Any]) -> int:
        try:
            return super().main(args, prog_name="soso", standalone_mode=False, **extra) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help(), err=True)
            return error.exit_code
        except click.ClickException as error:
            return _report(error.format_message(), error.exit_code)
        except SosoError as error:
            return _report(str(error), error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            return _report("interrupted", Interrupted.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 1
            return _report(f"{error.filename or 'system'}: {error.strerror or error}", 1)
        except MemoryError:
            return _report("out of memory", 1)


@click.group(cls=SosoGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="soso")
def main() -> None:
    """Fit spin-lattice models of magnetic crystals to a small number of first-principles calculations.

    \b
    One round, from a crystal structure to a tested model (`soso generate --help` shows explore.yaml):
      soso generate explore.yaml -o batch.extxyz              choose first spin configurations
      soso label tight-binding batch.extxyz -o train.extxyz   compute energy, exchange fields, forces
      soso fit train.extxyz -o model.soso                     fit a model with error bars
      soso explore model.soso explore.yaml -o next.extxyz     choose the next configurations to label
      soso label tight-binding next.extxyz -o labelled_next.extxyz
      soso evaluate model.soso labelled_next.extxyz           measure the error on new labels
      soso predict model.soso any.extxyz -o predicted.extxyz  predict energies, fields, forces
    Labels from other programs:
      soso data convert deepmd_folder -o train.extxyz         from and to DeePMD-kit and EMBSET
      soso data check train.extxyz                            find errors and inconsistencies

    Files are extended XYZ with unit vectors in the column `spins`; labels are optional columns and keys:
    energy (eV), exchange_fields (eV/μB), moments (μB), forces (eV/Å), stress (eV/Å³).

    \b
    Exit status: 0 done, 1 failed (data check: something found), 2 bad input, 3 not converged, 130 interrupted.
    """


def _report(message: str, status: int) -> int:
    click.echo(f"soso: error: {' '.join(message.split())}", err=True)
    return status


def _show_warning(message: Warning | str, category: object, filename: str, lineno: int, *_: Any, **__: Any) -> None:
    """Print a warning of a library as one line."""
    click.echo(f"soso: warning: {' '.join(str(message).split())} ({filename}:{lineno})", err=True)


def _terminate(number: int, frame: FrameType | None) -> None:
    """Exit through every `finally`, which removes temporary files."""
    sys.exit(TERMINATED)
