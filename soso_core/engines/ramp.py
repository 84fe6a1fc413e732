"""A ramp of constraints of growing strength; the next action is a pure function of the steps so far."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.field_consistency import integrate_fields
from soso_core.engines.moments import find_lost_moment, measure_angles
from soso_core.labels import compute_effective_fields
from soso_core.quality import LabelQuality
from soso_core.settings import Settings

ANGLE_NOISE = 0.1
"""Degrees by which the angle may grow from step to step: the effect of moments that carry three decimals."""

Lambda = Annotated[float, Field(gt=0.0, le=1e4)]


class RampSettings(Settings):
    """Strengths of the constraint and the gates that a label must pass.

    The constraint is applied with each strength of `lambda_ramp_ev_per_muB2` in turn, starting from the charge
    density of the one before.  While a gate (`max_...`) is not met at the end, the strength is multiplied by
    `lambda_factor`, up to `lambda_max_ev_per_muB2`.
    """

    lambda_ramp_ev_per_muB2: tuple[Lambda, ...] = Field(min_length=1, description="strengths of the constraint")
    lambda_factor: float = Field(gt=1.0, le=100.0, description="factor of a further step after the ramp")
    lambda_max_ev_per_muB2: Lambda = Field(description="largest strength of a further step")
    max_angle_degree: float = Field(gt=0.0, le=45.0, description="between a moment and its requested direction")
    max_penalty_meV_per_atom: float = Field(gt=0.0, description="energy of the constraint")
    max_energy_change_meV_per_atom: float = Field(gt=0.0, description="from the previous step, at its directions")
    max_field_change_meV: float = Field(gt=0.0, description="of -∂E/∂e, rms per component, from the previous step")
    min_moment_muB: float = Field(gt=0.0, description="a smaller moment has collapsed")

    @model_validator(mode="after")
    def _check_ramp(self) -> "RampSettings":
        if any(later <= earlier for earlier, later in itertools.pairwise(self.lambda_ramp_ev_per_muB2)):
            raise ValueError("every strength of lambda_ramp_ev_per_muB2 must exceed the one before")
        if self.lambda_max_ev_per_muB2 < self.lambda_ramp_ev_per_muB2[-1]:
            raise ValueError("lambda_max_ev_per_muB2 is smaller than the end of lambda_ramp_ev_per_muB2")
        return self


@dataclass(frozen=True, eq=False)
class RampStep:
    """One converged step of a ramp.

    `target` has the requested spins; `lambda_` is the strength, eV/μB²; `energy` and `penalty_energy` (eV) are those of
    the cell without the constraint, and of the constraint.  `spins_ac` (a, 3) and `moment_magnitudes_a` (a,), μB, are
    the achieved ones; `exchange_fields_ac` (a, 3) is -∂E/∂m, in eV/μB when `has_field_scale`; `scf_change` (eV) is the
    last change of the energy in the self-consistency.
    """

    target: Configuration
    lambda_: float
    energy: float
    penalty_energy: float
    spins_ac: FloatArray
    moment_magnitudes_a: FloatArray
    exchange_fields_ac: FloatArray
    has_field_scale: bool = True
    scf_change: float | None = None

    @property
    def effective_fields_ac(self) -> FloatArray:
        """(a, 3) -∂E/∂e across the achieved directions; in eV when `has_field_scale`."""
        return compute_effective_fields(self.exchange_fields_ac, self.moment_magnitudes_a, self.spins_ac)

    @property
    def angles_a(self) -> FloatArray:
        """(a,) angles in degrees between achieved and requested directions; zero without a spin."""
        return measure_angles(self.target.spins_ac, self.spins_ac)


class Action(str, Enum):
    """The consequence of a step."""

    NEXT = "next"
    REPEAT = "repeat"
    DONE = "done"
    FLIPPED = "flipped"
    COLLAPSED = "collapsed"
    OFF_TARGET = "off target"
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class Verdict:
    """The consequence of a step and its reason; `lambda_`: strength of the next step (eV/μB²), None at the end."""

    action: Action
    reason: str
    lambda_: float | None = None


def judge(steps: Sequence[RampStep], settings: RampSettings, n_repeats: int = 0) -> Verdict:
    """Return the verdict on the steps so far.

    A stronger constraint cannot leave a larger angle: such a step is repeated, once a label.  A moment that lies
    90 degrees or more from its spin has flipped; one below `min_moment_muB` has collapsed.  After the ramp the gates
    decide whether the constraint was strong enough.

    Parameters
    ----------
    steps : oldest first; each is the last one of its strength
    settings : ramp and gates
    n_repeats : how many steps of this label were repeated before
    """
    last = steps[-1]
    angles = [float(np.max(step.angles_a)) for step in steps[-2:]]
    if len(steps) > 1 and angles[1] > angles[0] + ANGLE_NOISE and n_repeats == 0:
        return Verdict(Action.REPEAT, f"the angle grew to {angles[1]:.2f} degrees", last.lambda_)
    moments_ac = last.moment_magnitudes_a[:, None] * last.spins_ac
    lost = find_lost_moment(last.target.spins_ac, moments_ac, settings.min_moment_muB)
    if lost is not None:
        return Verdict(Action.COLLAPSED if lost.is_collapsed else Action.FLIPPED, lost.reason)
    following = [value for value in settings.lambda_ramp_ev_per_muB2 if value > last.lambda_ * 1.001]
    if following:
        return Verdict(Action.NEXT, "next strength of the ramp", following[0])
    return _judge_end(steps, settings)


def measure_gates(steps: Sequence[RampStep], settings: RampSettings) -> Mapping[str, tuple[float, float]]:
    """Return number and limit of every gate; those that compare two steps only when there are two."""
    last, n_atoms = steps[-1], len(steps[-1].target)
    found = {
        "angle_degree": (float(np.max(last.angles_a)), settings.max_angle_degree),
        "constraint_energy_meV_per_atom": (1e3 * abs(last.penalty_energy) / n_atoms, settings.max_penalty_meV_per_atom),
    }
    if len(steps) > 1:
        energy, field = energy_change(steps[-2], last), field_change(steps[-2], last)
        found["energy_change_meV_per_atom"] = (1e3 * energy / n_atoms, settings.max_energy_change_meV_per_atom)
        found["field_change_meV"] = (1e3 * field, settings.max_field_change_meV)
    return found


def make_quality(steps: Sequence[RampStep], settings: RampSettings) -> LabelQuality:
    """Return the numbers that determine the grade of a label, from the steps of its ramp (oldest first)."""
    numbers = {key: value for key, (value, _) in measure_gates(steps, settings).items()}
    if steps[-1].scf_change is not None:
        numbers["scf_change_meV_per_atom"] = 1e3 * steps[-1].scf_change / len(steps[-1].target)
    return LabelQuality(numbers)


def energy_change(before: RampStep, last: RampStep) -> float:
    """Return by how much the energy of two steps differs, eV, without the work of the fields between both directions.

    Without a field scale the work is unknown and stays in the difference.
    """
    ends = (before.spins_ac, before.effective_fields_ac, last.spins_ac, last.effective_fields_ac)
    explained = integrate_fields(*ends) if last.has_field_scale else 0.0
    return abs(last.energy - before.energy - explained)


def field_change(before: RampStep, last: RampStep) -> float:
    """Return the rms difference per component of the effective fields of two steps, eV."""
    difference_ac = last.effective_fields_ac - before.effective_fields_ac
    return float(np.sqrt(np.mean(difference_ac[last.target.is_magnetic_a] ** 2)))


def _judge_end(steps: Sequence[RampStep], settings: RampSettings) -> Verdict:
    missed = {key: pair for key, pair in measure_gates(steps, settings).items() if pair[0] > pair[1]}
    stronger = min(steps[-1].lambda_ * settings.lambda_factor, settings.lambda_max_ev_per_muB2)
    reasons = ", ".join(f"{key} {value:.3g} > {limit:g}" for key, (value, limit) in missed.items())
    if not missed:
        return Verdict(Action.DONE, "all gates passed")
    if stronger > steps[-1].lambda_ * 1.001:
        return Verdict(Action.NEXT, f"stronger constraint: {reasons}", stronger)
    if "angle_degree" in missed:
        return Verdict(Action.OFF_TARGET, f"at the strongest constraint: {reasons}")
    return Verdict(Action.DONE, f"at the strongest constraint, lower grade: {reasons}")
