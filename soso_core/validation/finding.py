"""Finding: one problem of a set of labels and its place."""

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Kind(str, Enum):
    """Kind of a finding; the value is its name in JSON."""

    UNUSABLE = "unusable"
    NOT_PERIODIC = "not_periodic"
    SPINS_MISSING = "spins_missing"
    SPIN_LENGTH = "spin_length"
    SPIN_ZERO = "spin_zero"
    CLOSE_ATOMS = "close_atoms"
    REFUSED = "refused"
    MOMENT_SIGN = "moment_sign"
    MOMENT_OUTLIER = "moment_outlier"
    MIXED_MOMENTS = "mixed_moments"
    ENERGY_MISSING = "energy_missing"
    ENERGY_OUTLIER = "energy_outlier"
    FIELDS_MISSING = "fields_missing"
    FIELD_ALONG_SPIN = "field_along_spin"
    FIELD_SCALE = "field_scale"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Finding:
    """One problem of a set of labels.

    Parameters
    ----------
    kind : Kind
    text : the problem, with the number, without the place
    configuration : index from 0, or None for the set as a whole
    atom : index from 0 of the worst atom, or None
    value : the wrong number, in the unit of the text, or None
    array : the wrong label or array (`energy`, `fields`, ...), or None
    other : index of the other configuration of a duplicate, or None
    labels_equal : whether the labels of a duplicate equal those of the other, or None
    """

    kind: Kind
    text: str
    configuration: int | None = None
    atom: int | None = None
    value: float | None = None
    array: str | None = None
    other: int | None = None
    labels_equal: bool | None = None

    def line(self, file: str) -> str:
        """Return the finding in one line that begins with the file."""
        place = file
        if self.configuration is not None:
            place += f", configuration {self.configuration}"
        if self.atom is not None:
            place += f", atom {self.atom}"
        return f"{place}: {self.text}"

    def as_json(self) -> dict[str, Any]:
        """Return plain values; numbers that JSON cannot represent become text."""
        values = asdict(self) | {"kind": self.kind.value}
        if self.value is not None and not abs(self.value) < float("inf"):
            values["value"] = str(self.value)
        return values
