"""A magnet whose constrained states are known: the output that VASP would print, built from a formula."""

import numpy as np

from soso_core.configuration import Configuration
from soso_core.engines.vasp.field_scale import FieldScale
from soso_core.engines.vasp.order import arrange_for_vasp
from soso_core.engines.vasp.oszicar import ConstraintTable
from soso_core.engines.vasp.settings import SpeciesSettings, VaspSettings
from soso_core.engines.vasp.step import read_step
from soso_core.labels import transverse
from soso_core.settings import read_yaml

SPECIES = SpeciesSettings(rwigs_angstrom={"Fe": 1.302, "Ge": 1.217}, initial_moments_muB={"Fe": 2.2})
MOMENT = 2.0
SCALE = FieldScale(2.0, "measured")
FIELD_AC = np.array([[0.10, 0.02, -0.03], [0.0, 0.0, 0.0], [-0.05, 0.08, 0.04], [0.02, -0.06, 0.09]])
"""E = -Σ FIELD·e, eV; the second atom has no spin."""


def protocol(name="balanced", **changes):
    """Return the settings of a protocol with changes."""
    from importlib.resources import files

    known = read_yaml(files("soso_workchains") / "protocols" / "label_vasp.yaml")
    return VaspSettings(**{**known["balanced"]["settings"], **known[name]["settings"], **changes})


def mixed_cell(seed=3):
    """Four atoms, elements in turns, one without spin."""
    spins_ac = np.random.default_rng(seed).normal(size=(4, 3))
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    spins_ac[1] = 0.0
    positions_ac = np.array([[0.0, 0, 0], [1.4, 1.4, 1.5], [0, 0, 3.0], [1.4, 1.4, 4.5]])
    return Configuration([26, 32, 26, 26], positions_ac, np.diag([2.9, 2.9, 6.0]), spins_ac)


def held(target, lambda_):
    """Return the directions where field and penalty balance: -∂E/∂e = 2 m (λ m e_perp), across e."""
    spins_ac = target.spins_ac.copy()
    for _ in range(200):
        along_a = np.sum(spins_ac * target.spins_ac, axis=1, keepdims=True)
        penalty_ac = 2.0 * MOMENT**2 * lambda_ * (spins_ac - along_a * target.spins_ac)
        spins_ac = spins_ac + transverse(FIELD_AC - penalty_ac, spins_ac) / (2.0 * MOMENT**2 * lambda_ + 0.2)
        lengths_a = np.linalg.norm(spins_ac, axis=1, keepdims=True)
        spins_ac = spins_ac / np.where(lengths_a > 0.0, lengths_a, 1.0)
    return spins_ac


def printed(lambda_=10.0, target=None, spins_ac=None, moment=MOMENT, shift=0.0, digits=3, scale=SCALE):
    """Return the arguments of `read_step` as VASP prints them: rounded moments, energies with the penalty."""
    target = mixed_cell() if target is None else target
    spins_ac = held(target, lambda_) if spins_ac is None else spins_ac
    moments_ac = moment * spins_ac
    across_ac = moments_ac - np.sum(moments_ac * target.spins_ac, axis=1, keepdims=True) * target.spins_ac
    penalty = lambda_ * float(np.sum(across_ac**2))
    order = arrange_for_vasp(target)[1]
    table = ConstraintTable(
        penalty_energy=penalty,
        lambda_=lambda_,
        moments_mw_ac=np.round(order.to_vasp(moments_ac), digits),
        moments_m_ac=np.round(1.4 * order.to_vasp(moments_ac), digits),
        constraint_fields_ac=order.to_vasp(lambda_ * across_ac),
        is_constrained_a=order.to_vasp(target.is_magnetic_a),
        ionic_step=1,
        scf_change=2e-6,
    )
    return target, lambda_, -float(np.sum(FIELD_AC * spins_ac)) + shift + penalty, table, scale


def step(*arguments, **more):
    """Return a step of the ramp."""
    return read_step(*printed(*arguments, **more))
