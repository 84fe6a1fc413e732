"""Frozen parameters of the descriptors (DESIGN of the paper: arXiv:2403.10769, section II)."""

from pydantic import Field, model_validator

from soso_core.settings import Settings


class PairDescriptorParameters(Settings):
    """The two-body SOSO descriptor of a centre; defaults are the published ones for bcc Fe.

    `sigma_spin` is the width of the von Mises-Fisher kernel (dimensionless, concentration
    1/sigma_spin²), `taper_angstrom` the width of the cosine that switches the density off at the cutoff.
    """

    cutoff_angstrom: float = Field(default=7.0, gt=0.5, le=20.0)
    taper_angstrom: float = Field(default=1.0, gt=0.0)
    n_max: int = Field(default=12, ge=1, le=40)
    lambda_max: int = Field(default=6, ge=0, le=12)
    sigma_atom_angstrom: float = Field(default=0.5, gt=0.05)
    sigma_spin: float = Field(default=1.5, gt=0.1)

    @model_validator(mode="after")
    def _check_taper(self) -> "PairDescriptorParameters":
        if not self.taper_angstrom < self.cutoff_angstrom:
            given = f"{self.taper_angstrom:g} and {self.cutoff_angstrom:g}"
            raise ValueError(f"taper_angstrom must be smaller than cutoff_angstrom, not {given}")
        return self
