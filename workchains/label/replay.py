"""`soso.label.replay`: labels looked up in a labelled pool, to rehearse a campaign before it costs anything."""

from pathlib import Path
from typing import Any

from aiida.engine import ExitCode, ProcessSpec
from aiida.orm import AbstractCode, Data, Dict, ProcessNode
from ase import Atoms

from soso_core.active.candidates.settings import ExplorationSettings
from soso_core.dataset import Dataset
from soso_core.engines.replay import ReplayOracle, ReplaySettings
from soso_core.errors import InputError, located
from soso_core.formats import read_configurations, read_dataset
from soso_core.settings import parse_settings
from soso_workchains.label.contract import LabelWorkChain
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.functions.replay import NOT_IN_POOL_STATUS, replay_label


class ReplayLabelWorkChain(LabelWorkChain):
    """Label by looking up; no job runs.

    The pool is one node, an input of the campaign that every label shares.  A label has what it has in the pool: an
    energy at least.  Exit code of its own: 480, the configuration is not in the pool.
    """

    REQUIRED_LABELS = ("energy",)
    FILE_SETTINGS = ("dataset",)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the pool."""
        super().define(spec)
        spec.input("pool", valid_type=SosoDataset, help="labelled configurations, among them the one asked for")
        spec.exit_code(NOT_IN_POOL_STATUS, "ERROR_NOT_IN_POOL", message="{detail}")

    @classmethod
    def checked_settings(cls, values: dict[str, Any], source: str) -> dict[str, Any]:
        """Return the path of the pool, whose every configuration has an energy.  Raises InputError in one line."""
        path = parse_settings(ReplaySettings, values, source).dataset
        with located(f"{source}: dataset"):
            pool = read_dataset(path)
        for index, item in enumerate(pool):
            if item.energy is None:
                raise InputError(f"{source}: dataset: {path}, configuration {index}: there is no energy")
        return {"dataset": str(path)}

    @classmethod
    def inputs_from_settings(cls, settings: dict[str, Any], code: AbstractCode) -> dict[str, Data]:
        """Return the pool; there is nothing to run."""
        return {"pool": SosoDataset(Path(settings["dataset"]).resolve())}

    @classmethod
    def check_exploration(cls, settings: dict[str, Any], exploration: ExplorationSettings, source: str) -> None:
        """Refuse generators that draw what no pool can hold, and files with what this pool does not hold."""
        oracle = ReplayOracle(read_dataset(settings["dataset"]))
        for place, generator in enumerate(exploration.generators):
            where = f"{source}: exploration.generators.{place}"
            if not generator.takes_as_they_are:
                raise InputError(
                    f"{where}: what {generator.kind} draws anew has no label to replay; "
                    "a rehearsal needs kind: file, neither strained nor displaced"
                )
            assert generator.file is not None
            _check_in_pool(generator.file, oracle, where)

    @classmethod
    def describe(cls, settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
        """Return what the pool holds."""
        return {"pool": f"{settings['dataset']}: {_contents(read_dataset(settings['dataset']))}"}

    @classmethod
    def estimate(cls, settings: dict[str, Any], cell: Atoms, n_labels: int) -> dict[str, str]:
        """Return that nothing is computed."""
        return {"cost": "none: labels are looked up"}

    def run_engine(self) -> None:
        """Look up: it is done when it returns, there is nothing to wait for."""
        self.ctx.engine = self.submit_engine()

    def submit_engine(self) -> ProcessNode:
        """Run the calcfunction and return its node."""
        _, node = replay_label.run_get_node(configuration=self.inputs.configuration, pool=self.inputs.pool)
        return node

    def collect(self) -> ExitCode | None:
        """Return the label, or the exit code that says why there is none."""
        if self.ctx.engine.exit_status == NOT_IN_POOL_STATUS:
            return self.exit_codes.ERROR_NOT_IN_POOL.format(detail=self.ctx.engine.exit_message)
        return super().collect()

    def collect_label(self, engine: ProcessNode) -> tuple[SosoDataset, Dict]:
        """Return the two outputs of the calcfunction as they are."""
        return engine.outputs.label, engine.outputs.quality


def _check_in_pool(file: Path, oracle: ReplayOracle, where: str) -> None:
    """Raise InputError for the first configuration of a file that has no label in the pool."""
    for index, configuration in enumerate(read_configurations(file)):
        with located(f"{where}: {file}, configuration {index}"):
            oracle.check(configuration)


def _contents(pool: Dataset) -> str:
    n_forces = sum(item.forces_ac is not None for item in pool)
    return f"{len(pool)} labels, {pool.n_field_configurations} with fields, {n_forces} with forces"
