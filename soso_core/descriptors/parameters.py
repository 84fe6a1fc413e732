"""Frozen parameters of the descriptors; the pair one has the published defaults (arXiv:2403.10769)."""

from typing import Any

from pydantic import Field, field_validator, model_validator

from soso_core.descriptors.channels import CHANNELS
from soso_core.settings import Settings


class TaperedSettings(Settings):
    """The reach of a function of the distance: a cosine of width `taper_angstrom` switches it off at the cutoff."""

    cutoff_angstrom: float = Field(default=7.0, gt=0.5, le=20.0, description="largest distance of a neighbour")
    taper_angstrom: float = Field(default=1.0, gt=0.0, description="width of the smooth end at the cutoff")

    @model_validator(mode="after")
    def _check_taper(self) -> "TaperedSettings":
        if not self.taper_angstrom < self.cutoff_angstrom:
            given = f"{self.taper_angstrom:g} and {self.cutoff_angstrom:g}"
            raise ValueError(f"taper_angstrom must be smaller than cutoff_angstrom, not {given}")
        return self


class PairDescriptorParameters(TaperedSettings):
    """The two-body SOSO descriptor of a centre; defaults are the published ones for bcc Fe.

    `sigma_spin` is the width of the von Mises-Fisher kernel (dimensionless, concentration 1/sigma_spin²).
    """

    n_max: int = Field(default=12, ge=1, le=40, description="number of radial functions")
    lambda_max: int = Field(default=6, ge=0, le=12, description="highest Legendre order")
    sigma_atom_angstrom: float = Field(default=0.5, gt=0.05, le=20.0, description="width of an atom")
    sigma_spin: float = Field(default=1.5, gt=0.1, le=100.0, description="von Mises-Fisher, concentration 1/sigma²")


class ThreeBodyParameters(TaperedSettings):
    """The three-body descriptor of a centre; reach and orders are enough for the first shells of a bcc metal.

    `sigma_angstrom` is the width of the radial Gaussians, `channel_pairs` names the densities that are contracted
    with each other (channels of `descriptors.channels.CHANNELS`). `decay`: densities fall as r^-decay.
    Multi-spin exchange is short-ranged; without the decay, outer shells dominate the descriptor.
    `element_channels`: None has one density for each species; a number mixes the species into that many
    (`descriptors.element_mixing`), so that the size does not grow with the square of the number of species.
    """

    cutoff_angstrom: float = Field(default=4.6, gt=0.5, le=20.0, description="largest distance of a neighbour")
    n_max: int = Field(default=4, ge=1, le=20, description="number of radial functions")
    l_max: int = Field(default=4, ge=0, le=20, description="highest degree of the spherical harmonics")
    sigma_angstrom: float = Field(default=0.5, gt=0.05, le=20.0, description="width of the radial functions")
    decay: float = Field(default=6.0, ge=0.0, le=12.0, description="the density falls as r to minus this power")
    element_channels: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="densities into which species are mixed; `null`: one for each (mixed models cannot be compiled)",
    )
    channel_pairs: tuple[tuple[str, str], ...] = Field(
        default=(("1", "1"), ("1", "P1"), ("P1", "P1"), ("vector", "vector")),
        description=f"pairs of channels that are contracted; channels: {', '.join(f'`{name}`' for name in CHANNELS)}",
    )

    @field_validator("channel_pairs", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """Accept a bare 1, which is a number in YAML."""
        if not isinstance(value, (list, tuple)) or not all(isinstance(pair, (list, tuple)) for pair in value):
            return value
        return tuple(tuple("1" if name == 1 else name for name in pair) for pair in value)

    @field_validator("channel_pairs")
    @classmethod
    def _can_be_paired(cls, value: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        if not value:
            raise ValueError("at least one pair of channels is needed")
        for pair in value:
            for name in pair:
                if name not in CHANNELS:
                    raise ValueError(f"unknown channel {name}; known: {', '.join(CHANNELS)}")
            if CHANNELS[pair[0]].n_components != CHANNELS[pair[1]].n_components:
                raise ValueError(f"channels {pair[0]} and {pair[1]} make no invariant together")
        if len({frozenset(pair) for pair in value}) < len(value):
            raise ValueError("the same pair of channels twice")
        return value
