"""Physics that the labels of every engine obey, and the harness that runs an engine: tests/contracts/harness_*.py."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from aiida.engine import run_get_node
from aiida.orm import AbstractCode, Computer, InstalledCode, ProcessNode

from soso_core.configuration import Configuration
from soso_core.labels import LabelledConfiguration
from soso_core.quality import GRADE_KEY
from soso_workflows.campaign.campaign_file import ENGINE_PREFIX
from soso_workflows.data.dataset import SosoDataset

FOLDER = Path(__file__).parents[1] / "contracts"
TILT = 0.1
"""rad, each way, of one spin: an energy of some 10 meV, and an error of Simpson's rule of order TILT⁴."""
LARGEST_ANGLE = 10.0
"""Degrees between a requested and the achieved spin: beyond it the state is another one (grade D begins here)."""
SMALLEST_FORCE = 0.05
"""eV/Å: the tolerance of smaller forces is that of a force of this size."""
UNKNOWN_ELEMENT = 118
"""Oganesson: no engine has parameters for it."""


def iron_pair(angle: float = 1.22) -> Configuration:
    """Return two iron atoms, one of them off its site, with spins `angle` (rad) apart and along no axis."""
    positions_ac = 2.83 * np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    positions_ac[1] += 0.08 * np.array([1.0, -0.5, 0.3])
    spins_ac = np.array([[0.0, 0.0, 1.0], [np.sin(angle), 0.0, np.cos(angle)]])
    turned_ac = spins_ac @ rotation([0.3, 1.0, -0.4], 1.1).T
    return Configuration(np.array([26, 26]), positions_ac, 2.83 * np.eye(3), turned_ac)


@dataclass(frozen=True)
class Bench:
    """Resources of a harness: the local machine as a computer, a separate folder, session fixtures by their names."""

    computer: Computer
    folder: Path
    fixture: Callable[[str], Any]


def soso_command(bench: Bench) -> AbstractCode:
    """Return the real `soso` of this environment, for engines behind `soso label`."""
    executable = Path(sys.executable).parent / "soso"
    return InstalledCode(label="soso", computer=bench.computer, filepath_executable=str(executable)).store()


@dataclass(frozen=True)
class Harness:
    """How to run an engine: `code(bench)` makes its code, `settings` are those of a campaign file.

    `missing` returns why the engine cannot run here, or None; `slow` marks engines that take minutes.  For an
    engine that is `costly`, `make test` runs one check of the physics, and `make test-slow` the others.
    `cell` should be as small and quick as it can be with two unlike spins.
    """

    code: Callable[[Bench], AbstractCode] = soso_command
    settings: Mapping[str, Any] = field(default_factory=dict)
    cell: Configuration = field(default_factory=iron_pair)
    missing: Callable[[], str | None] = lambda: None
    slow: bool = False
    costly: bool = False


def harnesses() -> dict[str, Harness]:
    """Return the harness of every engine, by entry point: `HARNESS` of `harness_<engine>.py`."""
    return {ENGINE_PREFIX + path.stem.removeprefix("harness_"): _load(path) for path in FOLDER.glob("harness_*.py")}


def _load(path: Path) -> Harness:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.HARNESS


def requested_cells(cell: Configuration) -> dict[str, Configuration]:
    """Return the cells whose labels the contract needs, by name."""
    return {
        "base": cell,
        "tilted 1": tilt_spin(cell, TILT),
        "tilted -1": tilt_spin(cell, -TILT),
        "rotated": cell.with_spins(cell.spins_ac @ ROTATION.T),
        "permuted": Configuration(cell.numbers_a, cell.positions_ac[::-1], cell.cell_vc, cell.spins_ac[::-1]),
    }


def tilt_spin(cell: Configuration, angle: float) -> Configuration:
    """Return the cell with its first spin rotated towards the second by an angle (rad)."""
    spins_ac = np.array(cell.spins_ac)
    spins_ac[0] = rotation(np.cross(spins_ac[0], spins_ac[1]), angle) @ spins_ac[0]
    return cell.with_spins(spins_ac)


class Runs:
    """Labels of one engine for the contract; each is made when a check first uses it."""

    def __init__(self, engine: Any, harness: Harness, code: AbstractCode) -> None:
        self.engine, self.cell = engine, harness.cell
        settings = engine.validate_settings(dict(harness.settings), "the harness")
        self.inputs = engine.inputs_from_settings(settings, code)
        self.known: dict[str, tuple[dict[str, Any], ProcessNode]] = {}

    @property
    def tolerance(self) -> float:
        return float(self.engine.FIELD_TOLERANCE)

    def of(self, name: str, cell: Configuration) -> tuple[dict[str, Any], ProcessNode]:
        """Return outputs and node of the process that labels a cell."""
        if name not in self.known:
            configuration = SosoDataset.from_configurations([cell])
            self.known[name] = run_get_node(self.engine, configuration=configuration, **self.inputs)
        return self.known[name]

    def label(self, name: str) -> LabelledConfiguration:
        """Return the label of one of the `requested_cells`."""
        results, node = self.of(name, requested_cells(self.cell)[name])
        assert node.is_finished_ok, f"{name}: {node.exit_status} {node.exit_message}"
        return results["label"].get_dataset()[0]

    @property
    def base(self) -> LabelledConfiguration:
        return self.label("base")

    def tilted(self, sign: int) -> LabelledConfiguration:
        """Return the label with the first spin tilted towards the second by `sign` times TILT."""
        return self.label(f"tilted {sign}")

    @property
    def energy_scale(self) -> float:
        """Change of the energy by the tilt, eV."""
        return abs(self.tilted(1).energy - self.tilted(-1).energy)


def the_label_is_complete_and_graded(runs: Runs) -> None:
    """All required labels are there, near the requested directions, and both outputs have the same grade."""
    item, (results, _) = runs.base, runs.of("base", runs.cell)
    for name in runs.engine.REQUIRED_LABELS:
        assert getattr(item, name) is not None, name
    assert results["quality"]["converged"] is True
    assert results["quality"][GRADE_KEY] == item.info[GRADE_KEY] == item.grade
    cosines_a = np.sum(item.configuration.spins_ac * runs.cell.spins_ac, axis=1)
    assert np.degrees(np.arccos(np.clip(cosines_a, -1.0, 1.0))).max() < LARGEST_ANGLE
    np.testing.assert_allclose(item.configuration.positions_ac, runs.cell.positions_ac, atol=1e-9)


def the_field_is_minus_the_derivative_of_the_energy(runs: Runs) -> None:
    """From one tilt to the other the energy changes by the integral of the field along the achieved directions."""
    ends = (runs.tilted(-1), runs.base, runs.tilted(1))
    turn_ac = rotation_vectors(ends[0].configuration.spins_ac, ends[2].configuration.spins_ac)
    work = [np.sum(item.effective_fields_ac * np.cross(turn_ac, item.configuration.spins_ac)) for item in ends]
    change = ends[2].energy - ends[0].energy
    assert abs(change) > 1e-3, "the tilt changes the energy by less than 1 meV: nothing is tested here"
    assert abs(-change - (work[0] + 4.0 * work[1] + work[2]) / 6.0) <= runs.tolerance * abs(change)


def rotating_all_spins_changes_nothing(runs: Runs) -> None:
    """Energy, moment magnitudes and forces stay the same; the fields rotate with the spins."""
    assert_same(runs, runs.label("rotated"), runs.base.effective_fields_ac @ ROTATION.T, np.arange(len(runs.cell)))


def permuting_like_atoms_permutes_the_results(runs: Runs) -> None:
    """Atoms in another order have the same label in that order."""
    order_a = np.arange(len(runs.cell))[::-1]
    assert np.array_equal(runs.cell.numbers_a, runs.cell.numbers_a[order_a]), "the harness needs like atoms"
    assert_same(runs, runs.label("permuted"), runs.base.effective_fields_ac[order_a], order_a)


def an_impossible_request_ends_with_an_exit_code(runs: Runs) -> None:
    """The process ends without exception and without label, and gives the reason in one line."""
    cell = runs.cell
    unknown = Configuration(np.full(len(cell), UNKNOWN_ELEMENT), cell.positions_ac, cell.cell_vc, cell.spins_ac)
    results, node = runs.of("impossible", unknown)
    assert node.is_failed, f"{node.process_state} {node.exit_status}"
    assert node.exit_status >= 300  # below are AiiDA's own, of which none may be left to chance
    assert node.exit_message
    assert len(str(node.exit_message).splitlines()) == 1
    assert "label" not in results


CHECKS = (
    the_label_is_complete_and_graded,
    the_field_is_minus_the_derivative_of_the_energy,
    rotating_all_spins_changes_nothing,
    permuting_like_atoms_permutes_the_results,
    an_impossible_request_ends_with_an_exit_code,
)


def assert_same(runs: Runs, item: LabelledConfiguration, gradient_ac: np.ndarray, order_a: np.ndarray) -> None:
    """Assert that a label has these fields, and energy, magnitudes and forces of the base label in this order."""
    base, tolerance = runs.base, runs.tolerance
    assert abs(item.energy - base.energy) <= tolerance * runs.energy_scale
    largest = np.abs(gradient_ac).max()
    np.testing.assert_allclose(item.effective_fields_ac, gradient_ac, rtol=0, atol=tolerance * largest)
    np.testing.assert_allclose(item.moment_magnitudes_a, base.moment_magnitudes_a[order_a], rtol=tolerance)
    size = max(np.abs(base.forces_ac).max(), SMALLEST_FORCE)
    np.testing.assert_allclose(item.forces_ac, base.forces_ac[order_a], rtol=0, atol=tolerance * size)


def rotation(axis: Any, angle: float) -> np.ndarray:
    """Return the matrix that rotates by `angle` (rad) about `axis` (Rodrigues)."""
    x, y, z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross


def rotation_vectors(from_ac: np.ndarray, to_ac: np.ndarray) -> np.ndarray:
    """Return the rotation vector (rad) of the shortest rotation from each spin to the other, (a, 3)."""
    axis_ac = np.cross(from_ac, to_ac)
    sine_a = np.linalg.norm(axis_ac, axis=1)
    angle_a = np.arctan2(sine_a, np.sum(from_ac * to_ac, axis=1))
    return axis_ac * (angle_a / np.where(sine_a > 0.0, sine_a, 1.0))[:, None]


ROTATION = rotation([1.0, -0.6, 0.8], 2.1)
"""Rotation of all spins, under which a label must not change."""
