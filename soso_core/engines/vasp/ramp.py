"""What to do after a step of the ramp: a pure function of the steps so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from soso_core.engines.vasp.settings import VaspSettings
from soso_core.engines.vasp.step import VaspStep, energy_change, field_change

ANGLE_NOISE = 0.1
"""Degrees by which the angle may grow from step to step; three decimals of a short moment are worth as much."""


class Action(str, Enum):
    """What comes next."""

    NEXT = "next"
    REPEAT = "repeat"
    DONE = "done"
    FLIPPED = "flipped"
    COLLAPSED = "collapsed"
    OFF_TARGET = "off target"
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class Verdict:
    """What comes next and why; `lambda_` (eV/μB²) is the strength of the next step, None at the end."""

    action: Action
    reason: str
    lambda_: float | None = None


def judge(
    steps: Sequence[VaspStep], settings: VaspSettings, n_repeats: int = 0, field_scale: float | None = None
) -> Verdict:
    """Return the verdict on the steps so far, oldest first, each the last of its strength.

    A stronger constraint cannot leave a larger angle: such a step is repeated, once a label (`n_repeats` says how
    often it was done).  A moment that lies beyond 90 degrees has flipped; one below `min_moment_muB` has collapsed.
    After the ramp the gates decide whether it was enough.
    """
    lost = _lost_moment(steps[-1], settings)
    if _angle_grew(steps) and n_repeats == 0:
        return Verdict(Action.REPEAT, f"the angle grew to {steps[-1].angle_degree:.2f} degrees", steps[-1].lambda_)
    if lost is not None:
        return lost
    following = [value for value in settings.lambda_ramp_ev_per_muB2 if value > steps[-1].lambda_ * 1.001]
    if following:
        return Verdict(Action.NEXT, "the ramp goes on", following[0])
    return _after_ramp(steps, settings, field_scale)


def gates(
    steps: Sequence[VaspStep], settings: VaspSettings, field_scale: float | None
) -> Mapping[str, tuple[float, float]]:
    """Return number and limit of every gate; those that compare two steps only when there are two."""
    last, n_atoms = steps[-1], len(steps[-1].target)
    found = {
        "angle_degree": (last.angle_degree, settings.max_angle_degree),
        "constraint_energy_meV_per_atom": (last.penalty_meV_per_atom, settings.max_penalty_meV_per_atom),
    }
    energy, field = energy_change(steps, field_scale), field_change(steps, field_scale)
    if energy is not None and field is not None:
        limit = settings.max_energy_change_meV_per_atom
        found["energy_change_meV_per_atom"] = (1e3 * energy / n_atoms, limit)
        found["field_change_meV"] = (1e3 * field, settings.max_field_change_meV)
    return found


def _after_ramp(steps: Sequence[VaspStep], settings: VaspSettings, field_scale: float | None) -> Verdict:
    missed = {key: pair for key, pair in gates(steps, settings, field_scale).items() if pair[0] > pair[1]}
    stronger = min(steps[-1].lambda_ * settings.lambda_factor, settings.lambda_max_ev_per_muB2)
    said = ", ".join(f"{key} {value:.3g} > {limit:g}" for key, (value, limit) in missed.items())
    if not missed:
        return Verdict(Action.DONE, "all gates passed")
    if stronger > steps[-1].lambda_ * 1.001:
        return Verdict(Action.NEXT, f"stronger constraint: {said}", stronger)
    if "angle_degree" in missed:
        return Verdict(Action.OFF_TARGET, f"at the strongest constraint: {said}")
    return Verdict(Action.DONE, f"at the strongest constraint, graded down: {said}")


def _lost_moment(step: VaspStep, settings: VaspSettings) -> Verdict | None:
    is_magnetic_a = step.target.is_magnetic_a
    short = np.flatnonzero(is_magnetic_a & (step.moment_magnitudes_a < settings.min_moment_muB))
    if len(short):
        length = step.moment_magnitudes_a[short[0]]
        return Verdict(
            Action.COLLAPSED, f"moment of atom {short[0]} is {length:.3f} μB (< {settings.min_moment_muB:g})"
        )
    turned = np.flatnonzero(step.angles_a > 90.0)
    if len(turned):
        return Verdict(Action.FLIPPED, f"moment of atom {turned[0]} lies {step.angles_a[turned[0]]:.1f} degrees off")
    return None


def _angle_grew(steps: Sequence[VaspStep]) -> bool:
    return len(steps) > 1 and steps[-1].angle_degree > steps[-2].angle_degree + ANGLE_NOISE
