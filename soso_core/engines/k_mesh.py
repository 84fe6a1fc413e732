"""Regular meshes of k-points, never reduced, since k and -k differ for noncoplanar spins."""

from typing import Annotated, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from soso_core.arrays import FloatArray

MeshCount = Annotated[int, Field(ge=1, le=64)]
KMesh = Annotated[
    tuple[MeshCount, MeshCount, MeshCount] | None,
    Field(description="k-points along each reciprocal vector; `null`: from `k_spacing_per_angstrom`"),
]
KSpacing = Annotated[float, Field(ge=0.03, le=3.0, description="largest distance of k-points, 2π included")]


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
    cell_vc : (3, 3) float, Å; lattice vectors as rows
    spacing : 1/Å; largest distance of neighbouring points, 2π included
    counts : the answer itself, where the settings give it
    """
    if counts is not None:
        return counts
    lengths_v = 2.0 * np.pi * np.linalg.norm(np.linalg.inv(cell_vc), axis=0)
    # The small slack keeps a cell that sits on a boundary from choosing by its last bit.
    n_1, n_2, n_3 = np.maximum(1, np.ceil(lengths_v / spacing - 1e-6).astype(int))
    return int(n_1), int(n_2), int(n_3)


def mesh_points(cell_vc: FloatArray, counts: tuple[int, int, int], shift: float) -> FloatArray:
    """Return the (k, 3) points in 1/Å, all of equal weight; `shift` is in steps of the mesh."""
    axes = [(np.arange(count) + shift) / count for count in counts]
    fractions_kv = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(2.0 * np.pi * fractions_kv @ np.linalg.inv(cell_vc).T)
