"""The columns of the GP: against their twin, against finite differences of themselves, monomial by monomial."""

from functools import cache

import numpy as np
import pytest
from reference import covariance as twin
from scipy.spatial.transform import Rotation
from spin_cells import iron_germanium

from soso_core import Configuration
from soso_core.descriptors.parameters import PairDescriptorParameters, ThreeBodyParameters
from soso_core.gp.model.basis import ModelBasis
from soso_core.gp.model.inducing import InducingPoints
from soso_core.gp.model.pair_part import PairPart
from soso_core.gp.model.settings import FitSettings, PairPartSettings
from soso_core.neighbours import find_neighbours
from soso_core.testing import assert_derivative, finite_difference

SPECIES = (26, 32)
PAIR = PairDescriptorParameters(cutoff_angstrom=3.1, n_max=2, lambda_max=2, sigma_spin=1.0)
THREE_BODY = ThreeBodyParameters(cutoff_angstrom=3.2, n_max=2, l_max=2, decay=2.0)
PARTS = {"d": (PAIR, None), "p": (None, THREE_BODY), "both": (PAIR, THREE_BODY)}
CELL, OTHER = iron_germanium(2), iron_germanium(5)
SPECIES_A, CHOSEN = np.array([0, 0, 0, 1]), np.array([0, 2, 3])
RNG = np.random.default_rng(11)
TURN_AC, MOVE_AC = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
STRAIN_CC = np.array([[0.5, 0.2, -0.4], [0.2, -0.7, 0.3], [-0.4, 0.3, 0.6]])


def basis_of(part, zeta):
    """A basis whose inducing points are environments of another cell, not whitened."""
    pair, three_body = PARTS[part]
    settings = FitSettings(pair={"cutoff_angstrom": 3.3}, descriptor=pair, three_body=three_body, zeta=zeta)
    bare = ModelBasis.build(settings, SPECIES, None)
    points = bare.points(bare.descriptor.compute(OTHER, find_neighbours(OTHER, bare.descriptor.cutoff)))
    chosen = type(points)(points.x_af[CHOSEN], points.species_a[CHOSEN])
    n_monomials = len(bare.covariance.monomials)
    return ModelBasis.build(settings, SPECIES, InducingPoints(chosen, (np.eye(3),) * n_monomials))


def turned(spins_ac):
    moved_ac = np.zeros((4, 3))
    magnetic = CELL.is_magnetic_a
    moved_ac[magnetic] = spins_ac[magnetic] / np.linalg.norm(spins_ac[magnetic], axis=1, keepdims=True)
    return CELL.with_spins(moved_ac)


def strained(strain_cc):
    deform = np.eye(3) + strain_cc
    return Configuration(CELL.numbers_a, CELL.positions_ac @ deform.T, CELL.cell_vc @ deform.T, CELL.spins_ac)


DEFORMED = {
    "spins": lambda step: turned(CELL.spins_ac + step * TURN_AC),
    "positions": lambda step: CELL.with_positions(CELL.positions_ac + step * MOVE_AC),
    "strain": lambda step: strained(step * STRAIN_CC),
}


@cache
def twin_environments(direction, step):
    cell = OTHER if direction == "other" else DEFORMED[direction](step)
    return twin.environments(cell, PAIR, THREE_BODY, SPECIES)


@cache
def twin_columns(part, zeta, direction="spins", step=0.0):
    """Return {monomial: k (a, b)} for the part of the blocks that `part` has."""
    has = {"d": lambda q: q == "d", "p": lambda q: q != "d", "both": lambda q: True}[part]
    centres, points = (
        [{q: v for q, v in x.items() if has(q)} for x in some]
        for some in (twin_environments(direction, step), twin_environments("other", 0.0))
    )
    return twin.columns(centres, SPECIES_A, [points[b] for b in CHOSEN], SPECIES_A[CHOSEN], zeta)


@pytest.mark.parametrize("zeta", [1, 2, 3, 4])
@pytest.mark.parametrize("part", PARTS)
def test_columns_of_each_atom_equal_their_twin(part, zeta):
    basis = basis_of(part, zeta)
    sites_am, expected = basis.rows(CELL, by_spin=False).sites_am, twin_columns(part, zeta)
    assert {f"gp {name}" for name in expected} == {name for name in basis.blocks if name.startswith("gp ")}
    for name, k_ab in expected.items():
        # sqrtm of the overlap matrix costs a few digits; a kernel can be a small difference of large terms.
        np.testing.assert_allclose(sites_am[:, basis.blocks[f"gp {name}"]], k_ab, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("zeta", [1, 2, 3, 4])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("direction", DEFORMED)
def test_rows_are_the_slopes_of_the_twin(part, zeta, direction):
    """Along one random direction of all spins, all positions, and strain."""
    basis = basis_of(part, zeta)
    rows = basis.rows(CELL, by_position=True)
    along_m = {
        "spins": lambda: -np.einsum("acm,ac->m", rows.effective_fields_acm, TURN_AC),
        "positions": lambda: -np.einsum("acm,ac->m", rows.forces_acm, MOVE_AC),
        "strain": lambda: np.einsum("xcm,xc->m", rows.strain_ccm, STRAIN_CC),
    }[direction]()
    largest = 0.0
    for name in twin_columns(part, zeta):
        for b, mine in enumerate(along_m[basis.blocks[f"gp {name}"]]):
            energy = lambda at, name=name, b=b: twin_columns(part, zeta, direction, float(at[0]))[name][:, b].sum()  # noqa: E731
            slope = finite_difference(energy, np.zeros(1), 2e-3)[0]
            # Quadrature is good to about 1e-10, the stencil divides it by 2e-3.
            assert mine == pytest.approx(slope, rel=1e-5, abs=1e-6), (name, b)
            largest = max(largest, abs(slope))
    assert largest > 1e-3


def row_at(basis):
    """Return E columns of turned, moved and strained cells, each computed once."""

    @cache
    def row(kind, content):
        at = np.frombuffer(content).reshape(-1, 3)
        cells = {"spins": turned, "positions": CELL.with_positions, "strain": strained}
        return basis.energy_row(cells[kind](at))

    return lambda kind, at: row(kind, np.ascontiguousarray(at).tobytes())


@pytest.mark.parametrize(("part", "zeta"), [("d", 3), ("p", 3), ("both", 1), ("both", 2)])
def test_columns_of_every_monomial_have_exact_derivatives(part, zeta):
    basis = basis_of(part, zeta)
    rows, row = basis.rows(CELL, by_position=True), row_at(basis)
    magnetic = CELL.is_magnetic_a
    weights = np.random.default_rng(1).normal(size=3)
    for name, block in basis.blocks.items():
        if not name.startswith("gp "):
            continue
        slopes = {
            "spins": (-rows.effective_fields_acm, np.array(CELL.spins_ac)),
            "positions": (-rows.forces_acm, np.array(CELL.positions_ac)),
            "strain": (rows.strain_ccm, np.zeros((3, 3))),
        }
        if set(name.split()[1:]) == {"1-1"}:
            assert not slopes.pop("spins")[0][:, :, block].any()
        for kind, (rows_acm, at) in slopes.items():
            energy = lambda at, kind=kind, block=block, weights=weights: row(kind, at)[block] @ weights  # noqa: E731
            assert_derivative(energy, at, rows_acm[:, :, block] @ weights, 1e-3, 1e-7)
    assert not rows.effective_fields_acm[~magnetic].any()


ROTATION = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()


def moved_lattice(matrix):
    return Configuration(CELL.numbers_a, CELL.positions_ac @ matrix.T, CELL.cell_vc @ matrix.T, CELL.spins_ac)


SYMMETRIC = {
    "lattice rotation": moved_lattice(ROTATION),
    "lattice reflection": moved_lattice(np.diag([1.0, 1.0, -1.0])),
    "spin rotation": CELL.with_spins(CELL.spins_ac @ ROTATION.T),
    "spin reversal": CELL.with_spins(-CELL.spins_ac),
    "translation": CELL.with_positions(CELL.positions_ac + np.array([0.3, -7.0, 1.9])),
}


@pytest.mark.parametrize("name", SYMMETRIC)
@pytest.mark.parametrize("part", PARTS)
def test_no_column_sees_a_symmetry(part, name):
    basis = basis_of(part, 2)
    columns = slice(*basis.gp_columns.indices(basis.size)[:2])
    before, after = (basis.rows(cell, by_spin=False).sites_am[:, columns] for cell in (CELL, SYMMETRIC[name]))
    assert np.abs(before).max() > 1e-2
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-11)
    # What is no symmetry is seen: one spin turned alone.
    turned_ac = np.array(CELL.spins_ac)
    turned_ac[0] = ROTATION @ turned_ac[0]
    other = basis.rows(CELL.with_spins(turned_ac), by_spin=False).sites_am[:, columns]
    assert np.abs(other - before).max() > 1e-4


@pytest.mark.parametrize("part", PARTS)
def test_a_permutation_of_like_atoms_permutes_the_rows(part):
    basis, order = basis_of(part, 2), [2, 0, 3, 1]
    other = Configuration(CELL.numbers_a[order], CELL.positions_ac[order], CELL.cell_vc, CELL.spins_ac[order])
    rows, permuted = (basis.rows(cell, by_position=True) for cell in (CELL, other))
    for name in ("sites_am", "effective_fields_acm", "forces_acm"):
        np.testing.assert_allclose(getattr(permuted, name), getattr(rows, name)[order], rtol=0, atol=1e-11)
    np.testing.assert_allclose(permuted.strain_ccm, rows.strain_ccm, rtol=0, atol=1e-10)


def test_a_species_pair_has_one_index_in_either_order():
    index_ss = PairPart(PairPartSettings(), (26, 27, 32)).pair_index_ss
    np.testing.assert_array_equal(index_ss, [[0, 1, 2], [1, 3, 4], [2, 4, 5]])
