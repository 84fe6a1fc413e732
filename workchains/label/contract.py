"""The contract of an engine: a workchain that labels one configuration and returns the quality of the label."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from aiida.common.exceptions import EntryPointError
from aiida.engine import ExitCode, ProcessSpec, WorkChain
from aiida.orm import AbstractCode, Data, Dict, ProcessNode, StructureData
from aiida.plugins import WorkflowFactory
from aiida.plugins.entry_point import get_entry_point_names
from ase import Atoms

from soso_core.active.candidates.settings import ExplorationSettings
from soso_core.engines.contract import REQUIRED_LABELS
from soso_core.errors import InputError
from soso_core.settings import show_settings
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.provenance.costs import estimate_cost
from soso_workflows.provenance.failures import failure_reason

ENGINE_PREFIX = "soso.label."
"""Every engine has the entry point `soso.label.<engine>`."""
NOT_CONVERGED_STATUS = 410
"""Exit status of an engine's process whose iteration did not converge."""


@dataclass(frozen=True)
class Preparation:
    """A process that a campaign runs before its first label: its class, its inputs, and the outputs for the labels.

    Each of `outputs` is an output of the process and becomes the input of the same name of every label.
    """

    process_class: Any
    inputs: dict[str, Any]
    outputs: tuple[str, ...]


class LabelWorkChain(WorkChain):
    """Label one configuration.

    A new engine is a subclass with the entry point `soso.label.<engine>`: it adds its own inputs (a code,
    settings, options, potentials), and implements the four abstract methods below.  The loop passes these inputs on
    unchanged.

    Outputs: `label`, the configuration at the directions that were *achieved*, with energy (eV, without the
    energy of the constraint), exchange fields (eV/μB), moment magnitudes (μB), forces (eV/Å) and, where the engine
    has it, stress (eV/Å³); its `info` has the grade and the numbers of `soso_core.quality.LabelQuality`;
    `quality`, the same grade and numbers and at least the key `converged`.

    Exit codes: 400 the engine failed, 410 it did not converge, 420 its label is incomplete.
    """

    OWN_CODE: ClassVar[str | None] = None
    """The kind of code that `engine_code` must name; None for an engine that runs `soso`."""

    REQUIRED_LABELS: ClassVar[tuple[str, ...]] = REQUIRED_LABELS
    FIELD_TOLERANCE = 0.02
    """Allowed relative difference between the fields of a label and finite differences of its energy.

    The contract test checks it at the achieved directions; a subclass may set its own.
    """

    FILE_SETTINGS: ClassVar[tuple[str, ...]] = ()
    """Keys of `engine_settings` that name a file.

    Relative paths start at the campaign file; the content of the file, not its path, enters the fingerprint.
    """

    MEASURED: ClassVar[tuple[str, ...]] = ()
    """Keys of `engine_settings` whose value may be `measure`: a process of the engine measures it."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outputs and exit codes of all engines."""
        super().define(spec)
        spec.input("configuration", valid_type=SosoDataset, validator=_is_single, help="one cell with unit spins")
        spec.output("label", valid_type=SosoDataset, help="the configuration with its labels")
        spec.output("quality", valid_type=Dict, help="converged, residuals, warnings")
        spec.exit_code(400, "ERROR_ENGINE_FAILED", message="{detail}")
        spec.exit_code(410, "ERROR_NOT_CONVERGED", message="{detail}")
        spec.exit_code(420, "ERROR_LABEL_INCOMPLETE", message="the label is incomplete; missing: {detail}")
        spec.outline(cls.run_engine, cls.collect)

    @classmethod
    @abstractmethod
    def validate_settings(cls, values: dict[str, Any], source: str) -> dict[str, Any]:
        """Return engine settings, complete and of plain types.  Raises InputError in one line."""

    @classmethod
    @abstractmethod
    def inputs_from_settings(cls, settings: dict[str, Any], code: AbstractCode) -> dict[str, Data]:
        """Return the inputs that this engine adds to the contract, from checked settings."""

    @classmethod
    def check_cell(cls, settings: dict[str, Any], cell: Atoms, has_spin: list[bool], source: str) -> None:
        """Raise InputError, in one line, when checked settings are incomplete for this cell."""

    @classmethod
    def check_exploration(cls, settings: dict[str, Any], exploration: ExplorationSettings, source: str) -> None:
        """Raise InputError, in one line, when this engine cannot label the candidates of the exploration."""

    @classmethod
    def missing_prerequisites(cls, settings: dict[str, Any], cell: Atoms) -> list[str]:
        """Return the problems of a launch on this cell from this AiiDA profile, one line each."""
        return []

    @classmethod
    def check_profile(cls, settings: dict[str, Any], cell: Atoms) -> None:
        """Raise InputError with the first missing prerequisite."""
        if missing := cls.missing_prerequisites(settings, cell):
            raise InputError(missing[0])

    @classmethod
    def preparation(cls, inputs: dict[str, Any], structure: StructureData) -> Preparation | None:
        """Return the process that must run once before labels with these inputs; None when there is none."""
        return None

    @classmethod
    def estimate(cls, settings: dict[str, Any], cell: Atoms, n_labels: int) -> dict[str, str]:
        """Return the estimated cost of `n_labels` for a dry run, from finished labels in the database.

        `settings` are compared with the input `settings` of those labels.
        """
        return estimate_cost(cls.build_process_type(), settings, cell, n_labels)

    @classmethod
    def describe(cls, settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
        """Return a description of checked settings for this cell for a dry run, e.g. its k-points."""
        return {"engine settings": show_settings(settings)}

    @abstractmethod
    def submit_engine(self) -> ProcessNode:
        """Submit the engine's process and return its node."""

    @abstractmethod
    def collect_label(self, engine: ProcessNode) -> tuple[SosoDataset, Dict]:
        """Return label and quality from the finished engine."""

    def run_engine(self) -> dict[str, ProcessNode] | None:
        """Submit the engine and wait for it."""
        return self.to_context(engine=self.submit_engine())

    def collect(self) -> ExitCode | None:
        """Return the labels, or the exit code of the failure."""
        engine = self.ctx.engine
        if not engine.is_finished_ok:
            given_up = engine.process_status if engine.is_killed else None
            reason = given_up or failure_reason(engine)
            detail = f"{engine.process_label}<{engine.pk}>: {reason}"
            if engine.exit_status == NOT_CONVERGED_STATUS:
                return self.exit_codes.ERROR_NOT_CONVERGED.format(detail=detail)
            return self.exit_codes.ERROR_ENGINE_FAILED.format(detail=detail)
        label, quality = self.collect_label(engine)
        missing = label.find_missing_labels(self.REQUIRED_LABELS)
        if missing:
            return self.exit_codes.ERROR_LABEL_INCOMPLETE.format(detail=", ".join(missing))
        self.out("label", label)
        self.out("quality", quality)
        return None


def _is_single(node: SosoDataset, _: Any) -> str | None:
    if node.n_configurations != 1:
        return f"a label calculation takes one configuration, not {node.n_configurations}"
    return None


def load_label_workchain(entry_point: str) -> type[LabelWorkChain]:
    """Return the label workchain of an engine.  Raises InputError that lists the installed engines."""
    try:
        found = WorkflowFactory(entry_point)
    except EntryPointError:
        names = get_entry_point_names("aiida.workflows")
        known = [name.removeprefix(ENGINE_PREFIX) for name in names if name.startswith(ENGINE_PREFIX)]
        engine = entry_point.removeprefix(ENGINE_PREFIX)
        raise InputError(f"'{engine}' is not installed; known: {', '.join(known)}") from None
    if not (isinstance(found, type) and issubclass(found, LabelWorkChain)):
        raise InputError(f"{entry_point} is not a label workchain")
    return found
