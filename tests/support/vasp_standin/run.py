"""One run: the state it ends in and how it got there."""

from dataclasses import dataclass, replace

import numpy as np

from vasp_standin.classical import MOMENTS, ClassicalModel, Evaluation
from vasp_standin.constraint import Constraint, achieve
from vasp_standin.environment import Environment
from vasp_standin.task import Task, unit

WRONG_ANGLE_DEGREE = 25.0
COLLAPSED = 0.03  # μB
LOST_START = 0.1  # μB; a moment that starts shorter than this is never found
NON_MAGNETIC = 0.004  # μB, induced on atoms without a moment


@dataclass(frozen=True)
class Run:
    """What is printed: energies in eV, moments in μB, the field in eV/μB, and the electronic steps."""

    evaluation: Evaluation
    moments_ac: np.ndarray
    constraint: Constraint
    free_energies_k: np.ndarray  # of each electronic step, penalty included
    is_converged: bool

    @property
    def penalty(self) -> float:
        """E_p, eV."""
        return self.constraint.penalty(self.moments_ac)

    @property
    def free_energy(self) -> float:
        """F, with the penalty."""
        return float(self.free_energies_k[-1])


def perform(task: Task, environment: Environment, fault: str, victim: int) -> Run:
    """Return the run of a task; a fault of the moments hits the atom `victim`."""
    model = build_model(task, environment)
    constraint = Constraint(task.targets_ac, task.lambda_, environment.field_scale)
    starts_ac = starting_directions(task)
    directions_ac = achieve(model, constraint, starts_ac, **search_effort(environment))
    directions_ac = with_fault(directions_ac, lost_sites(task), fault, victim)
    evaluation = model.evaluate(directions_ac)
    lengths_a = np.where(magnetic(task), evaluation.moment_magnitudes_a, NON_MAGNETIC)
    lengths_a = np.where(collapsed_sites(task, fault, victim), COLLAPSED, lengths_a)
    moments_ac = lengths_a[:, None] * directions_ac
    n_steps = 10**6 if fault == "scf" else steps_needed(task)
    is_converged = n_steps < task.nelm
    if not is_converged:
        moments_ac = unconverged(moments_ac)
    evaluation = replace(evaluation, moment_magnitudes_a=np.linalg.norm(moments_ac, axis=1))
    final = evaluation.energy + constraint.penalty(moments_ac)
    return Run(evaluation, moments_ac, constraint, approach(final, min(n_steps, task.nelm), is_converged), is_converged)


def build_model(task: Task, environment: Environment):
    """Return the model of the crystal."""
    if environment.model == "classical":
        return ClassicalModel(task.crystal)
    from vasp_standin.tight_binding import TightBindingModel

    return TightBindingModel(task.crystal)


def search_effort(environment: Environment) -> dict[str, float]:
    """Return how hard to look for the resting directions: self-consistency is dear and less exact."""
    return {} if environment.model == "classical" else {"max_steps": 8, "tolerance": 1e-7}


def magnetic(task: Task) -> np.ndarray:
    """Return which atoms carry a moment (a,)."""
    return np.array([symbol in MOMENTS for symbol in task.crystal.symbols_a])


def starting_directions(task: Task) -> np.ndarray:
    """Return unit vectors (a, 3): the target, else the density that is continued, else MAGMOM, else along z."""
    before_ac = task.magmoms_ac if task.density is None else task.density.moments_ac
    starts_ac = np.where(np.linalg.norm(task.targets_ac, axis=1)[:, None] > 0, task.targets_ac, unit(before_ac))
    if task.incar.integer("I_CONSTRAINED_M", 0) == 1:  # pins the axis only: the sign stays as it was
        against_a = np.einsum("ac,ac->a", starts_ac, before_ac) < 0
        starts_ac = np.where(against_a[:, None], -starts_ac, starts_ac)
    return np.where(np.linalg.norm(starts_ac, axis=1)[:, None] > 0, starts_ac, [0.0, 0.0, 1.0])


def lost_sites(task: Task) -> np.ndarray:
    """Return which moments the continued density holds against their target (a,): they stay there."""
    if task.density is None:
        return np.zeros(len(task.targets_ac), dtype=bool)
    return np.einsum("ac,ac->a", task.density.moments_ac, task.targets_ac) < -0.5


def collapsed_sites(task: Task, fault: str, victim: int) -> np.ndarray:
    """Return which moments are lost (a,): they started from nothing, or the fault took them."""
    before_ac = task.magmoms_ac if task.density is None else task.density.moments_ac
    is_lost_a = magnetic(task) & (np.linalg.norm(before_ac, axis=1) < LOST_START)
    is_lost_a[victim] |= fault == "collapse"
    return is_lost_a


def with_fault(directions_ac: np.ndarray, is_against_a: np.ndarray, fault: str, victim: int) -> np.ndarray:
    """Return the directions with the faults of the moments put in."""
    faulty_ac = np.where(is_against_a[:, None], -directions_ac, directions_ac)
    if fault == "flip":
        faulty_ac[victim] = -directions_ac[victim]
    if fault == "wrong_angle":
        across_c = np.cross(directions_ac[victim], np.eye(3)[np.argmin(np.abs(directions_ac[victim]))])
        angle = np.radians(WRONG_ANGLE_DEGREE)
        faulty_ac[victim] = np.cos(angle) * directions_ac[victim] + np.sin(angle) * across_c / np.linalg.norm(across_c)
    return faulty_ac


def steps_needed(task: Task) -> int:
    """Return the electronic steps to convergence: from atoms thousands at a large λ, few from a density of a near λ."""
    if task.density is None:
        steps = 12 + 0.4 * task.lambda_**2
    else:
        before = max(task.density.lambda_, 0.1)
        steps = 8 + 4 * abs(np.log(max(task.lambda_, 0.1) / before))
    is_stirred = task.incar.real("AMIX", 0.4) > 0.2 and task.lambda_ >= 10
    return int(steps * (2 if is_stirred else 1))


def unconverged(moments_ac: np.ndarray) -> np.ndarray:
    """Return moments as a run that did not converge leaves them: a few degrees off."""
    return moments_ac + 0.08 * np.roll(moments_ac, 1, axis=1)


def approach(final: float, n_steps: int, is_converged: bool) -> np.ndarray:
    """Return the free energy after each step (k,); without convergence it still moves at the end."""
    steps_k = np.arange(n_steps, 0, -1) - 1.0
    if is_converged:
        return final + 30.0 * np.where(steps_k > 0, 10.0 ** (-9.0 * (1 - steps_k / n_steps)), 0.0)
    return final + 0.4 + 0.2 * np.cos(steps_k)
