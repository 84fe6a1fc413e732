"""Settings of the embedded electronic structure; the name of every number ends with its unit."""

from pydantic import Field, model_validator

from soso_core.engines.checks import SpeciesKey
from soso_core.engines.k_mesh import KMesh, KSpacing
from soso_core.settings import Settings


class SpeciesParameters(Settings):
    """One d-band species; the defaults are a model of iron.  A pair of species takes the mean of the two values."""

    electrons: float = Field(default=6.8, gt=0.0, lt=10.0, description="d electrons per neutral atom")
    onsite_ev: float = Field(default=0.0, ge=-50.0, le=50.0, description="d level of the neutral atom, eV")
    stoner_ev: float = Field(default=0.8, gt=0.0, le=5.0, description="Stoner parameter I in -I m²/4, eV/μB²")
    charge_penalty_ev: float = Field(default=8.0, ge=0.1, le=50.0, description="U in U (n - electrons)²/2, eV")
    dd_sigma_ev: float = Field(default=-0.66, ge=-5.0, le=5.0, description="ddσ hopping at the reference distance, eV")
    dd_pi_ev: float = Field(default=0.44, ge=-5.0, le=5.0, description="ddπ hopping at the reference distance, eV")
    dd_delta_ev: float = Field(default=-0.11, ge=-5.0, le=5.0, description="ddδ hopping at the reference distance, eV")
    repulsion_ev: float = Field(
        default=0.26, ge=0.0, le=50.0, description="repulsion of a pair at the reference distance, eV"
    )
    initial_moment_muB: float = Field(
        default=2.4, ge=0.1, le=5.0, description="moment the self-consistency starts from, μB"
    )


class TightBindingSettings(Settings):
    """Everything the engine needs besides the configuration; a 2 x 2 x 2 bcc cell of iron gets 3 x 3 x 3 k-points."""

    species: dict[SpeciesKey, SpeciesParameters] = Field(
        default_factory=lambda: {"Fe": SpeciesParameters()}, min_length=1, description="parameters by chemical symbol"
    )
    reference_distance_angstrom: float = Field(
        default=2.48, gt=0.5, le=10.0, description="distance of the given hoppings"
    )
    hopping_exponent: float = Field(
        default=5.0, ge=0.0, le=20.0, description="hoppings decrease as distance to minus this power"
    )
    repulsion_exponent: float = Field(default=14.0, ge=0.0, le=40.0, description="repulsion falls likewise")
    cutoff_angstrom: float = Field(default=3.7, gt=0.5, le=12.0, description="hoppings and repulsion end here")
    taper_width_angstrom: float = Field(
        default=0.6, gt=0.0, description="range below the cutoff in which they decrease smoothly to zero"
    )
    min_distance_angstrom: float = Field(default=1.2, gt=0.0, description="smallest allowed distance of two atoms")
    smearing_ev: float = Field(default=0.08, ge=0.005, le=1.0, description="Fermi-Dirac kT of the electrons")
    k_mesh: KMesh = None
    k_spacing_per_angstrom: KSpacing = 0.4
    k_shifted: bool = Field(
        default=False, description="half-step shift along each reciprocal vector instead of Gamma-centred"
    )
    tolerance: float = Field(
        default=1e-5, ge=1e-11, le=1e-2, description="largest residual of moments (μB) and charges (e)"
    )
    max_iterations: int = Field(default=30, ge=1, le=10000, description="mixing steps before second-order ones")
    max_newton_iterations: int = Field(default=40, ge=1, le=10000, description="second-order steps before giving up")
    min_moment_muB: float = Field(default=0.05, ge=0.0, description="a smaller or reversed moment is an error")

    @model_validator(mode="after")
    def _check_distances(self) -> "TightBindingSettings":
        if not self.taper_width_angstrom < self.cutoff_angstrom:
            raise ValueError("taper_width_angstrom must be smaller than cutoff_angstrom")
        if not self.min_distance_angstrom < self.cutoff_angstrom:
            raise ValueError("min_distance_angstrom must be smaller than cutoff_angstrom")
        return self
