"""What to explore: the structure, how to disorder it, how many candidates, how many to choose."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from soso_core.active.scores import ScoreSettings
from soso_core.settings import Settings

Kind = Literal["random", "cone", "monte-carlo", "spiral", "collinear", "file"]
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
"""Keys that only some kinds listen to."""


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
    tilted by each of `tilts_degree` in turn.  `file` takes the configurations of a file in turn, in their own cells.
    """

    kind: Kind
    weight: float = Field(default=1.0, gt=0.0)
    magnetisations: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = (0.95, 0.8, 0.6, 0.4, 0.2)
    displacement_angstrom: float = Field(default=0.0, ge=0.0, le=1.0)
    strain: float = Field(default=0.0, ge=0.0, le=0.2)
    supercell: Supercell | None = Field(default=None, description="None: that of the exploration")
    volume_range: tuple[VolumeFactor, VolumeFactor] = (1.0, 1.0)
    temperatures_kelvin: tuple[Annotated[float, Field(gt=0.0)], ...] = Field(
        default=(100.0, 300.0, 600.0, 1000.0, 1500.0), min_length=1
    )
    n_sweeps: int = Field(default=100, ge=1)
    orders: tuple[Order, ...] = Field(default=("ferromagnetic", "antiferromagnetic"), min_length=1)
    axis_cosines: tuple[Annotated[float, Field(ge=0.0, lt=1.0)], ...] = Field(default=(0.0,), min_length=1)
    tilts_degree: tuple[Annotated[float, Field(ge=0.0, lt=90.0)], ...] = Field(default=(0.0, 10.0, 25.0), min_length=1)
    file: Path | None = None

    @model_validator(mode="after")
    def _check_kind(self) -> "GeneratorSettings":
        """Refuse what another kind would listen to, a file that is missing, and a range upside down."""
        for key, kinds in KINDS_OF.items():
            if self.kind not in kinds and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} has no meaning for {self.kind}; it belongs to {' and '.join(kinds)}")
        if self.kind == "file" and self.file is None:
            raise ValueError("file is missing: the path of an extended XYZ file")
        if self.volume_range[0] > self.volume_range[1]:
            raise ValueError("volume_range must hold the smaller factor first")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, values_of: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what later versions added and nobody asked for: campaigns of earlier ones stay the same."""
        values: dict[str, Any] = values_of(self)
        fields = type(self).model_fields
        return {key: v for key, v in values.items() if key in FIRST or getattr(self, key) != fields[key].default}


Exploration = TypeVar("Exploration", bound="ExplorationSettings")


class ExplorationSettings(Settings):
    """How candidates are made and chosen, without the structure and the seed."""

    supercell: Supercell = (1, 1, 1)
    magnetic_species: tuple[str, ...] | None = Field(default=None, description="symbols with a spin; None: all")
    generators: tuple[GeneratorSettings, ...] = Field(
        default=(GeneratorSettings(kind="cone", weight=2.0), GeneratorSettings(kind="random", weight=1.0)),
        min_length=1,
    )
    n_candidates: int = Field(default=200, ge=1)
    selection: Literal["energy-variance", "mean-variance", "farthest-point", "random"] = "energy-variance"
    score: ScoreSettings = Field(default=ScoreSettings(), description="what counts as uncertain")

    def supercell_of(self, generator: GeneratorSettings) -> Supercell:
        """Return the supercell one of the generators works on."""
        return generator.supercell or self.supercell

    @property
    def files(self) -> dict[str, Path]:
        """The user's files by the names that `with_files` knows them by."""
        return {f"file_{g}": item.file for g, item in enumerate(self.generators) if item.file is not None}

    def with_files(self: Exploration, path_of: Callable[[str, Path], Path]) -> Exploration:
        """Return the same settings, every file being where path_of(name, present path) says."""
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
    n_select: int = Field(default=5, ge=1)
    seed: int = Field(default=0, ge=0)
    known: Path | None = Field(default=None, description="extended XYZ; no symmetry turns a pick into one of them")
    trusted: float = Field(default=1.0, ge=0.0, le=1.0, description="share of the batch chosen by its selection")
