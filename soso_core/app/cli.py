"""Entry point of the `soso` command: finds the subcommand, turns every fault into one line and an exit code."""

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
    "generate": "soso_core.app.explore_commands",
    "label": "soso_core.app.label_command",
    "check-fields": "soso_core.app.check_fields_command",
    "fit": "soso_core.app.fit_command",
    "predict": "soso_core.app.predict_command",
    "evaluate": "soso_core.app.evaluate_command",
    "explore": "soso_core.app.explore_commands",
    "alternatives": "soso_core.app.alternatives_command",
    "study": "soso_core.app.study_command",
    "data": "soso_core.app.data_commands",
    "warmup": "soso_core.app.warmup_command",
}
TERMINATED = 143
"""128 + the number of the signal, as a shell reports it."""


class Interrupted(SosoError):
    """The user pressed Ctrl-C."""

    exit_code = 130


class SosoGroup(click.Group):
    """Loads a subcommand's module when it is asked for; faults end in `soso: error: ...`, never in a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a subcommand."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; click would greet Ctrl-C with an empty line."""
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
            warnings.simplefilter("ignore")  # what libraries say to programmers is noise to a user
            sys.exit(self._status(args, extra))

    def _status(self, args: Any, extra: dict[str, Any]) -> int:
        try:
            return super().main(args, prog_name="soso", standalone_mode=False, **extra) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help(), err=True)
            return error.exit_code
        except click.ClickException as error:
            return _complain(error.format_message(), error.exit_code)
        except SosoError as error:
            return _complain(str(error), error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            return _complain("interrupted", Interrupted.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 1
            return _complain(f"{error.filename or 'system'}: {error.strerror or error}", 1)
        except MemoryError:
            return _complain("out of memory", 1)


@click.group(cls=SosoGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="soso")
def main() -> None:
    """Spin-lattice models of magnetic crystals from few labels.

    \b
    A whole round, from a crystal structure to a tested model:
      soso generate explore.yaml -o batch.extxyz              spin configurations to begin with
      soso label tight-binding batch.extxyz -o train.extxyz   energy, exchange fields, forces
      soso fit train.extxyz -o model.soso                     a model with error bars
      soso explore model.soso explore.yaml -o next.extxyz     what to label next
      soso evaluate model.soso labelled_next.extxyz           the error on what it has not seen
      soso predict model.soso any.extxyz -o predicted.extxyz  energies, fields, forces
    Labels from elsewhere:
      soso data convert deepmd_folder -o train.extxyz         from and to DeePMD-kit and EMBSET
      soso data check train.extxyz                            what is wrong with them

    Files are extended XYZ with unit vectors in the column `spins`; labels are optional columns and keys:
    energy (eV), exchange_fields (eV/μB), moments (μB), forces (eV/Å), stress (eV/Å³).

    \b
    Exit status: 0 done, 1 failed (data check: something found), 2 bad input, 3 not converged, 130 interrupted.
    """


def _complain(message: str, status: int) -> int:
    click.echo(f"soso: error: {' '.join(message.split())}", err=True)
    return status


def _terminate(number: int, frame: FrameType | None) -> None:
    """Leave through every `finally`, so that temporary files go."""
    sys.exit(TERMINATED)
