"""LabelledConfiguration: a configuration with its labels from an electronic-structure calculation."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from soso_core.arrays import FloatArray, frozen_floats
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.quality import NOISE_FACTORS, grade_of


@dataclass(frozen=True, eq=False)
class LabelledConfiguration:
    """Labels of one configuration; each of them may be absent (None).

    Parameters
    ----------
    configuration : Configuration
    energy : float, eV
        Energy of the whole cell.
    exchange_fields_ac : (a, 3) float, eV/μB
        h_i = -∂E/∂m_i; the component along the spin has no meaning and is projected out.  Needs
        `moment_magnitudes_a`.
    moment_magnitudes_a : (a,) float, μB
        m_i, positive for magnetic atoms.
    forces_ac : (a, 3) float, eV/Å
    stress_cc : (3, 3) float, eV/Å³
        Symmetric, tension positive (ASE's sign).
    info : mapping
        Other properties of the label (source, grade, residual, ...), read-only.
    target_spins_ac : (a, 3) float
        Directions that were requested of the engine.  Energy and fields belong to the directions that it achieved,
        those of `configuration`.

    Raises InputError for NaN, wrong shapes, fields without moment magnitudes, an unknown grade.
    """

    configuration: Configuration
    energy: float | None = None
    exchange_fields_ac: FloatArray | None = None
    moment_magnitudes_a: FloatArray | None = None
    forces_ac: FloatArray | None = None
    stress_cc: FloatArray | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    target_spins_ac: FloatArray | None = None

    def __post_init__(self) -> None:
        n_atoms = len(self.configuration)
        shapes = {
            "exchange_fields_ac": (n_atoms, 3),
            "moment_magnitudes_a": (n_atoms,),
            "forces_ac": (n_atoms, 3),
            "stress_cc": (3, 3),
            "target_spins_ac": (n_atoms, 3),
        }
        for name, shape in shapes.items():
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen_floats(name.rsplit("_", 1)[0], values, shape))
        if self.energy is not None:
            object.__setattr__(self, "energy", float(frozen_floats("energy", self.energy, ())))
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))
        grade_of(self.info)
        self._check_moments()

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling between processes, which a read-only mapping does not."""
        labels = (self.energy, self.exchange_fields_ac, self.moment_magnitudes_a, self.forces_ac, self.stress_cc)
        return type(self), (self.configuration, *labels, dict(self.info), self.target_spins_ac)

    def _check_moments(self) -> None:
        if self.exchange_fields_ac is not None and self.moment_magnitudes_a is None:
            raise InputError("exchange_fields (eV/μB) need the column 'moments' (μB) to become energies")
        if self.moment_magnitudes_a is None:
            return
        bad = np.flatnonzero((self.moment_magnitudes_a <= 0.0) & self.configuration.is_magnetic_a)
        if len(bad):
            atom = int(bad[0])
            raise InputError(
                f"moment of magnetic atom {atom} is {self.moment_magnitudes_a[atom]:.6g} μB; it must be positive"
            )

    @cached_property
    def effective_fields_ac(self) -> FloatArray | None:
        """(a, 3) B_i = -∂E/∂e_i = m_i h_i in eV, transverse, zero for non-magnetic atoms; None without fields."""
        if self.exchange_fields_ac is None or self.moment_magnitudes_a is None:
            return None
        return compute_effective_fields(self.exchange_fields_ac, self.moment_magnitudes_a, self.configuration.spins_ac)

    @property
    def grade(self) -> str:
        """Quality grade, A to D; A when the label has none."""
        return grade_of(self.info)

    @property
    def noise_factor(self) -> float:
        """Noise of this label relative to that of an A label."""
        return NOISE_FACTORS[self.grade]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all numbers and the grade; equal labels have equal digests."""
        digest = hashlib.sha256()
        where = self.configuration
        for array in (where.numbers_a, where.positions_ac, where.cell_vc, where.spins_ac):
            digest.update(array.tobytes())
        for label in (self.exchange_fields_ac, self.moment_magnitudes_a, self.forces_ac, self.stress_cc):
            digest.update(b"-" if label is None else label.tobytes())
        digest.update(repr(self.energy).encode())
        digest.update(self.grade.encode())
        return digest.hexdigest()

    @property
    def energy_per_spin(self) -> float | None:
        """Energy per magnetic atom (per atom when none is magnetic), eV."""
        return None if self.energy is None else self.energy / self.configuration.n_energy_sites


def compute_effective_fields(
    exchange_fields_ac: FloatArray, moment_magnitudes_a: FloatArray, spins_ac: FloatArray
) -> FloatArray:
    """Return B_i = -∂E/∂e_i = m_i h_i across the spins, (a, 3) eV, from fields (a, 3) eV/μB and magnitudes (a,) μB."""
    return transverse(exchange_fields_ac * moment_magnitudes_a[:, None], spins_ac)


def transverse(vectors_ac: FloatArray, spins_ac: FloatArray) -> FloatArray:
    """Return the part of each vector perpendicular to its spin; zero where the spin is zero.

    Shapes (a, c); further axes broadcast, as in (a, c, m) and (a, c, 1).
    """
    along_a = np.sum(vectors_ac * spins_ac, axis=1, keepdims=True)
    has_spin_a = np.any(spins_ac != 0.0, axis=1, keepdims=True)
    return np.where(has_spin_a, vectors_ac - along_a * spins_ac, 0.0)
