"""What to explore: the structure, how to disorder it, how many candidates, how many to choose."""

from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from soso_core.active.scores import ScoreSettings
from soso_core.settings import Settings

Supercell = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class GeneratorSettings(Settings):
    """One way of drawing configurations; several are mixed by weight.

    `random` draws uniform directions.  `cone` draws from a von Mises-Fisher distribution around one
    random axis; each entry of `magnetisations` is a mean cosine (1 is the ferromagnet, 0 random) and
    candidates cycle through them.  `displacement_angstrom` is the standard deviation of a Gaussian
    on every coordinate, `strain` that of every component of a symmetric strain.  `supercell` replaces that of the
    exploration for this generator, so that one campaign may hold cells of several sizes.
    """

    kind: Literal["random", "cone"]
    weight: float = Field(default=1.0, gt=0.0)
    magnetisations: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = (0.95, 0.8, 0.6, 0.4, 0.2)
    displacement_angstrom: float = Field(default=0.0, ge=0.0, le=1.0)
    strain: float = Field(default=0.0, ge=0.0, le=0.2)
    supercell: Supercell | None = Field(default=None, description="None: that of the exploration")

    @model_serializer(mode="wrap")
    def _without_the_default(self, values_of: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a supercell that was not given, as campaigns did before there was one: they stay the same."""
        values: dict[str, Any] = values_of(self)
        return {key: value for key, value in values.items() if key != "supercell" or value is not None}


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
    def supercells(self) -> tuple[Supercell, ...]:
        """Every supercell that occurs, smallest first."""
        return tuple(sorted({self.supercell_of(generator) for generator in self.generators}, key=prod))


class ExploreSettings(ExplorationSettings):
    """The settings file of `soso explore` and `soso generate`."""

    structure: Path = Field(description="any file ASE reads; a relative path starts at the settings file")
    n_select: int = Field(default=5, ge=1)
    seed: int = Field(default=0, ge=0)
