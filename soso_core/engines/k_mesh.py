"""Regular meshes of k-points: the number of points along each reciprocal vector."""

from typing import Annotated, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from soso_core.arrays import FloatArray

MeshCount = Annotated[int, Field(ge=1, le=64)]


@runtime_checkable
class MeshSettings(Protocol):
    """Settings of an engine with k-points: their number along each reciprocal vector, or their largest distance."""

    k_mesh: tuple[int, int, int] | None
    k_spacing_per_angstrom: float


def mesh_counts(
    cell_vc: FloatArray, spacing: float, counts: tuple[int, int, int] | None = None
) -> tuple[int, int, int]:
    """Return how many k-points lie along each reciprocal vector.

    Parameters
    ----------
    cell_vc : (3, 3) float, Å
        Lattice vectors as rows.
    spacing : float, 1/Å
        Largest distance of neighbouring points, 2π included.
    counts : three int, optional
        The answer itself, where the settings give it.
    """
    if counts is not None:
        return counts
    lengths_v = 2.0 * np.pi * np.linalg.norm(np.linalg.inv(cell_vc), axis=0)
    # The small slack keeps a cell that sits on a boundary from choosing by its last bit.
    n_1, n_2, n_3 = np.maximum(1, np.ceil(lengths_v / spacing - 1e-6).astype(int))
    return int(n_1), int(n_2), int(n_3)
