"""Settings of an exploration: the structure, its disorder, numbers of candidates and of chosen ones."""

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from soso_core.active.selection.acquisition import VARIANCE_FRACTION, Acquisition
from soso_core.settings import Settings

MAKERS: Mapping[str, str] = MappingProxyType(
    {
        "random": "make_disordered",
        "cone": "make_disordered",
        "monte-carlo": "make_thermal",
        "spiral": "make_spiral",
        "collinear": "make_collinear",
        "file": "make_from_file",
    }
)
"""The function of `candidates.generators` that makes a candidate, by kind of generator."""
if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[tuple(MAKERS)]
Displacements = Literal["gaussian", "debye", "langevin"]
Order = Literal["ferromagnetic", "antiferromagnetic", "ferrimagnetic", "spin-density-wave"]
Supercell = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
VolumeFactor = Annotated[float, Field(gt=0.5, lt=2.0)]
FIRST = ("kind", "weight", "magnetisations", "displacement_angstrom", "strain")
"""Keys of the first version."""
KINDS_OF = {
    "temperatures_kelvin": ("monte-carlo",),
    "n_sweeps": ("monte-carlo",),
    "orders": ("collinear",),
    "axis_cosines": ("spiral",),
    "tilts_degree": ("spiral", "collinear"),
    "file": ("file",),
}
"""Keys that only some kinds use."""
DISPLACEMENTS_OF = {
    "displacement_angstrom": ("gaussian",),
    "temperatures_kelvin": ("debye", "langevin"),
    "debye_kelvin": ("debye",),
    "timestep_fs": ("langevin",),
    "friction_per_fs": ("langevin",),
    "n_steps": ("langevin",),
}
"""Keys that only some displacements use."""
LARGEST_DAMPING = 0.5
"""Of friction times time step; the integrator is an expansion in it."""


class GeneratorSettings(Settings):
    """One way of drawing configurations; several are mixed by weight.

    `random` draws uniform directions.  `cone` draws from a von Mises-Fisher distribution around one
    random axis; each entry of `magnetisations` is a mean cosine (1 is the ferromagnet, 0 random) and
    candidates cycle through them.  `displacement_angstrom` is the standard deviation of a Gaussian
    on every coordinate, `strain` that of every component of a symmetric strain, `volume_range` the smallest and
    largest factor on the volume.  `supercell` replaces that of the exploration for this generator, so that one campaign
    may hold cells of several sizes.

    `monte-carlo` draws with the present model at each of `temperatures_kelvin` in turn and is left out while there is
    none.  `spiral` draws a commensurate wave vector, `collinear` one of the `orders` in turn; their spins are
    tilted by each of `tilts_degree` in turn.  `file` takes the configurations of a file in turn, in their own cells;
    each once when nothing is done to them.

    Atoms of all kinds are displaced by a Gaussian of `displacement_angstrom`, or as one of `temperatures_kelvin` has
    them: `debye` draws from a Debye solid of `debye_kelvin`, `langevin` moves them by the forces of the present model
    and is left out while there is none.  The temperature is drawn at random, that of `monte-carlo` is the temperature
    of its spins.
    """

    kind: Kind = Field(description="distribution of the spins, see below")
    weight: float = Field(default=1.0, gt=0.0, description="share of the candidates")
    magnetisations: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = Field(
        default=(0.95, 0.8, 0.6, 0.4, 0.2), description="mean cosines of the cones, used in turn (`cone` only)"
    )
    displacement_angstrom: float = Field(
        default=0.0, ge=0.0, le=1.0, description="deviation of coordinates (`gaussian`)"
    )
    strain: float = Field(default=0.0, ge=0.0, le=0.2, description="standard deviation of each component of the strain")
    supercell: Supercell | None = Field(default=None, description="None: that of the exploration")
    volume_range: tuple[VolumeFactor, VolumeFactor] = Field(default=(1.0, 1.0), description="factor on the volume")
    temperatures_kelvin: tuple[Annotated[float, Field(gt=0.0)], ...] = Field(
        default=(100.0, 300.0, 600.0, 1000.0, 1500.0),
        min_length=1,
        description="temperatures of `monte-carlo`, used in turn, and of `debye` and `langevin`, drawn at random",
    )
    n_sweeps: int = Field(default=100, ge=1, description="updates of each spin, half of them cooling (`monte-carlo`)")
    orders: tuple[Order, ...] = Field(
        default=("ferromagnetic", "antiferromagnetic"),
        min_length=1,
        description="magnetic orders, used in turn (`collinear` only)",
    )
    axis_cosines: tuple[Annotated[float, Field(ge=0.0, lt=1.0)], ...] = Field(
        default=(0.0,),
        min_length=1,
        description="cosines of the spins with the axis of the spiral, used in turn; 0: flat (`spiral` only)",
    )
    tilts_degree: tuple[Annotated[float, Field(ge=0.0, lt=90.0)], ...] = Field(
        default=(0.0, 10.0, 25.0),
        min_length=1,
        description="random tilts of each spin away from its order, used in turn (`spiral` and `collinear`)",
    )
    file: Path | None = Field(
        default=None, description="extended XYZ file; a relative path starts at the settings file (`file` only)"
    )
    displacements: Displacements = Field(default="gaussian", description="kind of displacements, see below")
    debye_kelvin: float | None = Field(default=None, gt=0.0, description="Debye temperature, required for `debye`")
    timestep_fs: float = Field(default=2.0, gt=0.0, le=10.0, description="1 or less for light atoms (`langevin`)")
    friction_per_fs: float = Field(default=0.02, gt=0.0, le=1.0, description="at most 0.5 / `timestep_fs` (`langevin`)")
    n_steps: int = Field(default=300, ge=1, description="time steps before a configuration is used (`langevin` only)")

    @model_validator(mode="after")
    def _check_kind(self) -> "GeneratorSettings":
        """Refuse a key that only other kinds use, a missing file, and a reversed range."""
        for key in {**KINDS_OF, **DISPLACEMENTS_OF}:
            users = (*KINDS_OF.get(key, ()), *DISPLACEMENTS_OF.get(key, ()))
            is_used = self.kind in users or self.displacements in users
            if not is_used and getattr(self, key) != type(self).model_fields[key].default:
                mine = f"{self.kind} with {self.displacements} displacements"
                raise ValueError(f"{key} has no meaning for {mine}; only {' and '.join(users)} use it")
        if self.kind == "file" and self.file is None:
            raise ValueError("file is missing: the path of an extended XYZ file")
        if self.displacements == "debye" and self.debye_kelvin is None:
            raise ValueError("debye_kelvin is missing: the Debye temperature")
        if self.timestep_fs * self.friction_per_fs > LARGEST_DAMPING:
            raise ValueError(f"timestep_fs times friction_per_fs must be at most {LARGEST_DAMPING}")
        if self.volume_range[0] > self.volume_range[1]:
            raise ValueError("volume_range must hold the smaller factor first")
        return self

    @property
    def takes_as_they_are(self) -> bool:
        """Whether it takes configurations of a file and does nothing to them: a second time they would be the same."""
        moves = self.displacement_angstrom > 0.0 or self.displacements != "gaussian"
        return self.kind == "file" and not moves and self.strain == 0.0 and self.volume_range == (1.0, 1.0)

    @property
    def needs_model(self) -> bool:
        """Whether it draws with the present model."""
        return self.kind == "monte-carlo" or self.displacements == "langevin"

    @model_serializer(mode="wrap")
    def _without_defaults(self, values_of: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out newer keys at their defaults, so that equal settings of an earlier version stay equal."""
        values: dict[str, Any] = values_of(self)
        fields = type(self).model_fields
        return {key: v for key, v in values.items() if key in FIRST or getattr(self, key) != fields[key].default}


Exploration = TypeVar("Exploration", bound="ExplorationSettings")


class ExplorationSettings(Settings):
    """How candidates are made and chosen, without the structure and the seed."""

    supercell: Supercell = Field(default=(1, 1, 1), description="repetitions of the structure along its vectors")
    magnetic_species: tuple[str, ...] | None = Field(default=None, description="symbols with a spin; None: all")
    generators: tuple[GeneratorSettings, ...] = Field(
        default=(GeneratorSettings(kind="cone", weight=2.0), GeneratorSettings(kind="random", weight=1.0)),
        min_length=1,
        description="generators of candidates; one `cone` of weight 2 and one `random` of weight 1 unless given",
    )
    n_candidates: int = Field(default=200, ge=1, description="number of candidates")
    acquisition: Acquisition = Field(
        default="mean-variance",
        description="acquisition function; `random` serves as a control",
    )
    variance_fraction: float = Field(
        default=VARIANCE_FRACTION,
        ge=0.0,
        le=1.0,
        description="share of a batch chosen by the acquisition function, the rest at random",
    )

    def supercell_of(self, generator: GeneratorSettings) -> Supercell:
        """Return the supercell one of the generators works on."""
        return generator.supercell or self.supercell

    @property
    def files(self) -> dict[str, Path]:
        """The user's files by the names that `with_files` uses."""
        return {f"file_{g}": item.file for g, item in enumerate(self.generators) if item.file is not None}

    def with_files(self: Exploration, path_of: Callable[[str, Path], Path]) -> Exploration:
        """Return the same settings, every file at path_of(name, present path)."""
        generators = tuple(
            item if item.file is None else item.model_copy(update={"file": path_of(f"file_{g}", item.file)})
            for g, item in enumerate(self.generators)
        )
        return self.model_copy(update={"generators": generators})

    @property
    def supercells(self) -> tuple[Supercell, ...]:
        """Every supercell that occurs, smallest first."""
        return tuple(sorted({self.supercell_of(generator) for generator in self.generators}, key=prod))


class ExploreSettings(ExplorationSettings):
    """The settings file of `soso explore` and `soso generate`."""

    structure: Path = Field(description="any file ASE reads; a relative path starts at the settings file")
    n_select: int = Field(default=5, ge=1, description="size of the batch, if as many distinct candidates exist")
    seed: int = Field(default=0, ge=0, description="seed of the candidates")
    known: Path | None = Field(default=None, description="extended XYZ; no symmetry turns a pick into one of them")
