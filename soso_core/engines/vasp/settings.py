"""Settings of a constrained calculation with VASP: numbers of INCAR and KPOINTS, and the gates of the result."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from soso_core.engines.checks import SpeciesKey
from soso_core.engines.ramp import RampSettings
from soso_core.settings import Settings

CUTOFFS = {"encut", "prec", "ediff", "nelm", "nelmin", "algo", "ismear", "sigma", "lmaxmix", "lasph", "lorbit"}
MIXING = {"amix", "bmix", "amix_mag", "bmix_mag"}
SPINS = {"ispin", "isym", "lnoncollinear", "lsorbit", "magmom", "i_constrained_m", "m_constr", "lambda", "rwigs"}
FILES = {"istart", "icharg", "lcharg", "lwave", "nsw", "ibrion", "isif"}
OWN_TAGS = frozenset(CUTOFFS | MIXING | SPINS | FILES)
"""INCAR tags with a setting or a fixed value of their own."""


class MixingSettings(Settings):
    """Mixing of charge and magnetisation densities; see AMIX, BMIX, AMIX_MAG, BMIX_MAG in VASP's manual."""

    amix: float = Field(gt=0.0, le=1.0, description="AMIX")
    bmix_per_angstrom: float = Field(gt=0.0, le=10.0, description="BMIX")
    amix_mag: float = Field(gt=0.0, le=4.0, description="AMIX_MAG")
    bmix_mag_per_angstrom: float = Field(gt=0.0, le=10.0, description="BMIX_MAG")


TAG = re.compile(r"[a-z][a-z0-9_]*")


def _fits_incar(value: Any) -> bool:
    """Return whether an INCAR can hold the value: a finite number, a truth value, or text of one line."""
    if isinstance(value, str):
        return bool(value.strip()) and value.isprintable()
    return isinstance(value, bool | int | float) and math.isfinite(value)


class VaspSettings(RampSettings):
    """Settings of one label besides the configuration; the protocols in `label_vasp.yaml` give every key a value."""

    cutoff_ev: float = Field(ge=100.0, le=2000.0, description="plane waves, ENCUT")
    k_spacing_per_angstrom: float = Field(gt=0.0, le=2.0, description="largest distance of k-points, 2π included")
    smearing_method: Literal["fermi", "gaussian", "methfessel-paxton"] = Field(description="ISMEAR")
    smearing_ev: float = Field(gt=0.0, le=1.0, description="SIGMA")
    energy_tolerance_ev_per_atom: float = Field(gt=0.0, le=1e-3, description="EDIFF, per atom")
    min_scf_steps: int = Field(ge=2, le=100, description="NELMIN")
    max_scf_steps: int = Field(ge=10, le=2000, description="NELM")
    algorithm: Literal["normal", "fast", "all", "damped"] = Field(description="ALGO")
    precision: Literal["normal", "accurate"] = Field(description="PREC")
    mixing_cold: MixingSettings = Field(description="first step, from atomic charges")
    mixing_restart: MixingSettings = Field(description="steps that start from a charge density")
    lmaxmix: Literal[2, 4, 6] = Field(description="largest l of the on-site densities that are mixed")
    constraint_kind: Literal[1, 2, 4] = Field(description="I_CONSTRAINED_M: 1 axis, 2 vector, 4 direction")
    spin_orbit: bool = Field(description="LSORBIT; must be false, since the model has no spin-orbit coupling yet")
    extra_incar: dict[str, Any] = Field(
        default_factory=dict, description="other tags (lower case), e.g. ncore, kpar, gga"
    )

    @field_validator("spin_orbit")
    @classmethod
    def _check_spin_orbit(cls, value: bool) -> bool:
        if value:
            raise ValueError("must be false: the model has no place for spin-orbit coupling yet")
        return value

    @field_validator("extra_incar")
    @classmethod
    def _check_tags(cls, tags: dict[str, Any]) -> dict[str, Any]:
        for tag, value in tags.items():
            if tag != tag.lower():
                raise ValueError(f"write '{tag.lower()}' instead of '{tag}'")
            if TAG.fullmatch(tag) is None:
                raise ValueError(f"'{tag}' is not a tag of VASP")
            if not all(_fits_incar(item) for item in (value if isinstance(value, list) else [value])):
                raise ValueError(f"the value of '{tag}' must be one number, word or truth value, or a list of them")
            if tag in OWN_TAGS:
                raise ValueError(f"'{tag}' follows from the other settings and cannot be given here")
        return tags


class SpeciesSettings(Settings):
    """Input of VASP for each element of a cell."""

    rwigs_angstrom: dict[SpeciesKey, Annotated[float, Field(gt=0.1, lt=5.0)]] = Field(
        description="radius of the sphere in which a moment is constrained; RWIGS of the POTCAR is a good choice"
    )
    initial_moments_muB: dict[SpeciesKey, Annotated[float, Field(gt=0.0, lt=12.0)]] = Field(
        description="moment that the self-consistency starts from, for every element with a spin"
    )
