"""Settings of the GPAW engine; the name of every number ends with its unit."""

from typing import Annotated

from pydantic import Field, model_validator

from soso_core.engines.checks import SpeciesKey
from soso_core.engines.k_mesh import KMesh, KSpacing
from soso_core.settings import Settings


class GpawSpecies(Settings):
    """Start of the self-consistency for one magnetic species; the defaults are for iron."""

    initial_moment_muB: float = Field(default=2.3, ge=0.1, le=8.0, description="initial moment magnitude")
    gentle_initial_moment_muB: float = Field(
        default=2.0, ge=0.1, le=8.0, description="the same in the gentler attempts"
    )


class GpawSettings(Settings):
    """Everything the engine needs besides the configuration; k-meshes never hold Gamma and are never reduced."""

    species: dict[SpeciesKey, GpawSpecies] = Field(
        default_factory=lambda: {"Fe": GpawSpecies()}, min_length=1, description="magnetic species by symbol"
    )
    cutoff_ev: float = Field(default=350.0, ge=100.0, le=2000.0, description="of the plane waves, eV")
    k_mesh: KMesh = None
    k_spacing_per_angstrom: Annotated[KSpacing, Field(ge=0.05)] = 0.6
    smearing_ev: float = Field(default=0.1, ge=0.005, le=1.0, description="Fermi-Dirac kT of the electrons")
    empty_bands_percent: float = Field(
        default=50.0, ge=10.0, le=400.0, description="empty bands over occupied ones: 50 is six pairs per iron atom"
    )
    penalty_ev_per_muB2: float = Field(
        default=10.0, ge=0.5, le=40.0, description="strength of the constraint; 100 does not converge"
    )
    gentle_penalty_ev_per_muB2: float = Field(
        default=4.0, ge=0.5, le=40.0, description="the same in the gentler attempts"
    )
    gentle_smearing_ev: float = Field(
        default=0.2, ge=0.005, le=2.0, description="initial smearing of the last attempt, which ends at smearing_ev"
    )
    energy_tolerance_ev_per_electron: float = Field(default=1e-5, gt=0.0, le=1e-3, description="over three steps")
    density_tolerance: float = Field(default=1e-4, gt=0.0, le=1e-2, description="electrons per electron")
    eigenstate_tolerance_ev2_per_electron: float = Field(default=4e-8, gt=0.0, le=1e-4, description="of the residual")
    max_iterations: int = Field(default=100, ge=1, le=1000, description="of the first attempt")
    max_gentle_iterations: int = Field(default=140, ge=1, le=1000, description="of each gentler attempt, and stage")
    max_attempts: int = Field(default=3, ge=1, le=3, description="the first and two gentler ones")
    max_angle_degree: float = Field(
        default=10.0, gt=0.0, le=45.0, description="a moment further from its spin is an error"
    )
    min_moment_muB: float = Field(default=0.3, ge=0.0, le=8.0, description="a smaller or reversed moment is an error")
    min_distance_angstrom: float = Field(default=1.5, gt=0.0, description="smallest allowed distance of two atoms")

    @model_validator(mode="after")
    def _check_gentle(self) -> "GpawSettings":
        if self.gentle_penalty_ev_per_muB2 > self.penalty_ev_per_muB2:
            raise ValueError("gentle_penalty_ev_per_muB2 must not exceed penalty_ev_per_muB2")
        if self.gentle_smearing_ev < self.smearing_ev:
            raise ValueError("gentle_smearing_ev must not be below smearing_ev")
        return self
