"""Settings of the ABINIT engine; the name of every number ends with its unit."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from soso_core.engines.checks import SpeciesKey
from soso_core.engines.k_mesh import KMesh, KSpacing
from soso_core.settings import Settings

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Moment = Annotated[float, Field(ge=0.1, le=10.0)]

DEBIAN_FOLDER = Path("/usr/share/abinit/psp")
"""Folder of the pseudopotentials in Debian's package abinit-data."""


class AbinitSettings(Settings):
    """Everything the engine needs besides the configuration."""

    command: str = Field(default="abinit", min_length=1, description="how ABINIT is started, e.g. mpirun -n 8 abinit")
    pseudopotentials: dict[SpeciesKey, Path] = Field(default_factory=dict, description="psp8 file by chemical symbol")
    pseudopotential_folder: Path = Field(default=DEBIAN_FOLDER, description="searched for the other species")
    ecut_ev: float = Field(default=1225.0, ge=100.0, le=10000.0, description="kinetic-energy cutoff of the plane waves")
    ecut_smearing_ev: float = Field(
        default=13.6, ge=0.0, le=100.0, description="range of the smooth cutoff below ecut_ev"
    )
    fft_box_ratio: float = Field(
        default=2.0, ge=2.0, le=6.0, description="largest wave vector of the real-space grid over that of ecut_ev"
    )
    k_mesh: KMesh = None
    k_spacing_per_angstrom: KSpacing = 0.6
    k_shift: tuple[Fraction, Fraction, Fraction] = Field(
        default=(0.5, 0.5, 0.5), description="shift along each reciprocal vector, in steps of the mesh"
    )
    smearing_ev: float = Field(default=0.1, ge=0.005, le=1.0, description="Fermi-Dirac kT of the electrons")
    empty_bands_per_atom: int = Field(default=3, ge=1, le=100, description="bands beyond one for each electron")
    tolvrs: float = Field(default=1e-6, ge=1e-16, le=1e-5, description="potential residual at convergence, ABINIT's")
    stalled_residual: float = Field(
        default=1e-3, ge=0.0, le=1e-2, description="residual below which two attempts that agree make a label"
    )
    max_iterations: int = Field(default=80, ge=1, le=1000, description="self-consistency steps before giving up")
    magcon_lambda: float = Field(default=0.02, gt=0.0, le=0.1, description="weight of the constraint in the mixing")
    moment_radius_angstrom: float = Field(default=1.06, ge=0.3, le=3.0, description="sphere that defines a moment")
    initial_moment_muB: Moment = Field(default=2.3, description="moment the self-consistency starts from")
    initial_moments_muB: dict[SpeciesKey, Moment] = Field(
        default_factory=dict, description="the same by chemical symbol"
    )
    min_moment_muB: float = Field(default=0.05, ge=0.0, description="a smaller or reversed moment is an error")
    max_angle_degree: float = Field(default=0.1, gt=0.0, le=10.0, description="of a moment to its spin")
    timeout_seconds: float = Field(default=43200.0, ge=1.0, description="largest wall time of one run of ABINIT")
    keep_failed_in: Path | None = Field(default=None, description="folder for the files of failed runs")
