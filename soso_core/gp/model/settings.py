"""How to fit: pair part, descriptor, covariance, inducing points."""

from pydantic import Field, model_validator

from soso_core.descriptors.parameters import PairDescriptorParameters, TaperedSettings, ThreeBodyParameters
from soso_core.settings import Settings


class PairPartSettings(TaperedSettings):
    """The linear long-range part: one smooth function J_λ(r) for each λ and species pair."""

    n_max: int = Field(default=12, ge=1, le=40, description="number of radial functions")
    lambda_max: int = Field(default=3, ge=1, le=6, description="Legendre order: 1 Heisenberg, 2 biquadratic, ...")
    sigma_angstrom: float = Field(default=0.5, gt=0.05, le=20.0, description="width of the radial functions")
    decay: float = Field(default=3.0, ge=0.0, le=6.0, description="prior J(r) falls as r^-decay")


class FitSettings(Settings):
    """The settings file of `soso fit`; keys that are left out are chosen from the data.

    The GP uses the pair descriptor (`descriptor`), the three-body one (`three_body`), or both; null leaves one out.
    The defaults here are the published ones for bcc iron (arXiv:2403.10769): the pair descriptor alone.
    """

    pair: PairPartSettings = Field(default=PairPartSettings(), description="pair part, see below")
    descriptor: PairDescriptorParameters | None = Field(default=PairDescriptorParameters(), description="`null`: none")
    three_body: ThreeBodyParameters | None = Field(
        default=None,
        description="three-body descriptor of the GP, see below; `{}`: with its defaults; the GP needs one of the two",
    )
    zeta: int = Field(default=4, ge=1, le=8, description="degree of the covariance in the kernels of its blocks")
    n_inducing: int = Field(default=100, ge=1, le=5000, description="inducing points of each monomial of kernels")

    @model_validator(mode="after")
    def _check_descriptor(self) -> "FitSettings":
        if self.descriptor is None and self.three_body is None:
            raise ValueError("descriptor and three_body are both null; the GP needs one of them")
        return self
