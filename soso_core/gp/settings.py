"""How to fit: pair part, descriptor, covariance, inducing points."""

from pydantic import Field, model_validator

from soso_core.descriptors.parameters import PairDescriptorParameters, ThreeBodyParameters
from soso_core.settings import Settings


class PairPartSettings(Settings):
    """The linear long-range part: one smooth function J_λ(r) for each λ and species pair."""

    cutoff_angstrom: float = Field(default=7.0, gt=0.5, le=20.0)
    taper_angstrom: float = Field(default=1.0, gt=0.0)
    n_max: int = Field(default=12, ge=1, le=40)
    lambda_max: int = Field(default=3, ge=1, le=6)
    sigma_angstrom: float = Field(default=0.5, gt=0.05)
    decay: float = Field(default=3.0, ge=0.0, le=6.0, description="prior J(r) falls as r^-decay")

    @model_validator(mode="after")
    def _check_taper(self) -> "PairPartSettings":
        if not self.taper_angstrom < self.cutoff_angstrom:
            given = f"{self.taper_angstrom:g} and {self.cutoff_angstrom:g}"
            raise ValueError(f"taper_angstrom must be smaller than cutoff_angstrom, not {given}")
        return self


class FitSettings(Settings):
    """The settings file of `soso fit`; what is left out is chosen from the data.

    With `three_body` the GP sees the three-body descriptor beside the pair one; without it the pair one alone.
    """

    pair: PairPartSettings = PairPartSettings()
    descriptor: PairDescriptorParameters = PairDescriptorParameters()
    three_body: ThreeBodyParameters | None = None
    zeta: int = Field(default=4, ge=1, le=8, description="exponent of the polynomial covariance")
    n_inducing: int = Field(default=100, ge=1, le=5000)
