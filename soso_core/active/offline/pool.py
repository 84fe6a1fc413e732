"""A labelled pool whose design rows are computed once, and the fit of a part of it, for offline studies.

Descriptors need no labels, so the inducing points are those of the whole pool and every fit shares them; reference
energies, hyperparameters and weights come from the labels of the part alone.  All weights of a block have the same
prior width, so each block can be rotated to its principal axes over the pool; axes along which no row of the pool has
a component are dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from soso_core.active.selection.uncertainty import CandidateRows, whiten
from soso_core.arrays import FloatArray, IntArray
from soso_core.dataset import Dataset
from soso_core.gp.inference.calibration import calibration_factors, left_out_errors
from soso_core.gp.inference.evidence import posterior
from soso_core.gp.inference.hyperparameters import FIXED_BLOCKS, FittedHyperparameters, fit_hyperparameters
from soso_core.gp.inference.hyperprior import build_hyperprior
from soso_core.gp.inference.regression import build_basis, select_energy_targets
from soso_core.gp.inference.sums import sum_rows
from soso_core.gp.inference.targets import Rows, compute_rows, reference_energies
from soso_core.gp.model.basis import ModelBasis
from soso_core.gp.model.fitted import References
from soso_core.gp.model.hyperparameters import Hyperparameters
from soso_core.gp.model.normal_equations import NormalEquations
from soso_core.gp.model.settings import FitSettings
from soso_core.species import species_counts
from soso_core.threads import in_threads

CARTESIAN = (2.0 / 3.0) ** 0.5
"""Field errors are per Cartesian component; one of three, along the spin, is zero."""
NEGLIGIBLE = 1e-12
"""Axes of a block with less than this share of its largest mean square are rounding noise."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Design rows of every labelled configuration, `targets.compute_rows` with reference energies zero.

    rows_k: for each configuration, rows (r, m) and values (r,) of each target.  blocks: columns of each block, the pair
    part before the GP; the first `n_pair_columns` are those of the pair-only baseline.
    """

    dataset: Dataset
    rows_k: tuple[Rows, ...]
    blocks: Mapping[str, slice]
    n_pair_columns: int

    def __len__(self) -> int:
        return len(self.dataset)

    @cached_property
    def n_spins_k(self) -> FloatArray:
        """Magnetic atoms of each configuration (all atoms when none is), (k,)."""
        return np.array([i.configuration.n_energy_sites for i in self.dataset], dtype=float)

    @cached_property
    def counts_ks(self) -> FloatArray:
        """Atoms of each species in each configuration, (k, s)."""
        return np.array([species_counts(item.configuration, self.dataset.species) for item in self.dataset])

    @cached_property
    def factors_k(self) -> FloatArray:
        """Noise factor of each label, (k,)."""
        return np.array([item.noise_factor for item in self.dataset])

    @cached_property
    def energies_km(self) -> FloatArray:
        """Rows of the energy per spin, (k, m)."""
        rows_km = np.concatenate([rows["energy"][0] for rows in self.rows_k])
        return np.asarray(rows_km * (self.factors_k / np.sqrt(self.n_spins_k))[:, None])

    @cached_property
    def fields_rm(self) -> FloatArray:
        """Rows of the transverse field components of all configurations one after the other, (r, m)."""
        parts = [rows["field"][0] * f for rows, f in zip(self.rows_k, self.factors_k, strict=True) if "field" in rows]
        return np.concatenate(parts) if parts else np.zeros((0, self.energies_km.shape[1]))

    @cached_property
    def ends_k(self) -> IntArray:
        """Where the field rows of each configuration begin and end, (k + 1,)."""
        return np.cumsum([0, *(len(rows["field"][0]) if "field" in rows else 0 for rows in self.rows_k)])

    @cached_property
    def pair_blocks(self) -> dict[str, slice]:
        """The blocks of the pair-only baseline."""
        return {name: block for name, block in self.blocks.items() if block.stop <= self.n_pair_columns}

    def rows_of(self, k: int, references_s: FloatArray) -> Rows:
        """Return rows and values of configuration k with reference energies (s,) eV subtracted."""
        rows = dict(self.rows_k[k])
        rows_km, values_k = rows["energy"]
        reference = float(self.counts_ks[k] @ references_s)
        rows["energy"] = (rows_km, values_k - reference / np.sqrt(self.n_spins_k[k]) / self.factors_k[k])
        return rows

    def equations(self, chosen: Sequence[int], references_s: FloatArray) -> dict[str, NormalEquations]:
        """Return the sums over the rows of the chosen configurations."""
        return sum_rows((self.rows_of(k, references_s), self.factors_k[k]) for k in chosen)


@dataclass(frozen=True, eq=False)
class PoolFit:
    """A model of the chosen configurations of a pool.

    weights_m (m,); cholesky_mm (m, m), Cholesky factor of their posterior precision; references_s (s,), reference
    energies in eV; calibration, factor on the standard deviations of each target.
    """

    weights_m: FloatArray
    cholesky_mm: FloatArray
    fitted: FittedHyperparameters
    references_s: FloatArray
    calibration: Mapping[str, float]

    @property
    def hyperparameters(self) -> Hyperparameters:
        """The fitted hyperparameters."""
        return self.fitted.best.hyperparameters


def make_pool(dataset: Dataset, settings: FitSettings, rng: np.random.Generator) -> Pool:
    """Return the pool of a labelled dataset; every configuration needs an energy.  `rng` draws the inducing points."""
    basis = build_basis(dataset, settings, rng)
    references = References(np.zeros(len(dataset.species)), np.full(len(dataset.species), np.nan))
    rows_k = in_threads(lambda item: select_energy_targets(compute_rows(item, basis, references)), dataset)
    return _rotate_to_principal_axes(dataset, rows_k, basis)


def fit_part(pool: Pool, chosen: Sequence[int], start: PoolFit | None = None) -> PoolFit:
    """Return the model of highest evidence for the labels of the chosen configurations, as `regression.fit` does.

    The search begins at the hyperparameters of `start`.
    """
    references_s = reference_energies(pool.dataset.subset(chosen), pool.dataset.species)
    equations = pool.equations(chosen, references_s)
    first = None if start is None else start.fitted
    fitted = fit_hyperparameters(equations, pool.blocks, pool.pair_blocks, first)
    hyperparameters = fitted.best.hyperparameters
    solved = posterior(equations, pool.blocks, hyperparameters)
    errors = [left_out_errors(pool.rows_of(k, references_s), *solved, hyperparameters) for k in chosen]
    return PoolFit(*solved, fitted, references_s, calibration_factors(errors))


def refit_part(pool: Pool, chosen: Sequence[int], fitted: PoolFit) -> PoolFit:
    """Return the model of the chosen configurations with the hyperparameters of `fitted`, and the calibration."""
    references_s = reference_energies(pool.dataset.subset(chosen), pool.dataset.species)
    equations = pool.equations(chosen, references_s)
    weights_m, cholesky_mm = posterior(equations, pool.blocks, fitted.hyperparameters)
    return replace(fitted, weights_m=weights_m, cholesky_mm=cholesky_mm, references_s=references_s)


def uncertainty(pool: Pool, fitted: PoolFit) -> CandidateRows:
    """Return the candidate rows of every configuration of the pool."""
    noise = fitted.hyperparameters.noise
    return CandidateRows(
        whiten(pool.energies_km, fitted.cholesky_mm),
        whiten(pool.fields_rm, fitted.cholesky_mm),
        pool.ends_k,
        noise["energy"] / np.sqrt(pool.n_spins_k),
        noise.get("field", 0.0) * fitted.hyperparameters.field_scale,
        fitted.calibration.get("energy", 1.0),
    )


def prior_uncertainty(pool: Pool) -> CandidateRows:
    """Return the uncertainty of every configuration before the first label, from the prior of the pair part.

    Energies, and fields where labels hold them, are assumed to vary with the prior width of each pair block.
    """
    n_pair = pool.n_pair_columns
    energies_km, fields_rm = pool.energies_km[:, :n_pair], pool.fields_rm[:, :n_pair]
    rows = {"energy": energies_km * np.sqrt(pool.n_spins_k)[:, None], "field": fields_rm}
    sums = {
        t: NormalEquations.from_rows(rows_rm, np.zeros(len(rows_rm))) for t, rows_rm in rows.items() if len(rows_rm)
    }
    centre, blocks = build_hyperprior(sums, pool.pair_blocks).centre, pool.pair_blocks
    prior_m = np.concatenate([np.full(block.stop - block.start, centre.prior[name]) for name, block in blocks.items()])
    return CandidateRows(
        energies_km * prior_m,
        fields_rm * prior_m,
        pool.ends_k,
        centre.noise["energy"] / np.sqrt(pool.n_spins_k),
        centre.noise.get("field", 0.0),
    )


def energy_errors(pool: Pool, fitted: PoolFit) -> FloatArray:
    """Return prediction minus label of the energy per spin of every configuration, (k,) eV."""
    label_k = np.array([item.energy for item in pool.dataset], dtype=float)
    reference_k = pool.counts_ks @ fitted.references_s
    return np.asarray(pool.energies_km @ fitted.weights_m - (label_k - reference_k) / pool.n_spins_k)


def field_errors(pool: Pool, fitted: PoolFit) -> list[FloatArray]:
    """Return prediction minus label of the transverse field components of every configuration, in eV."""
    predicted_r = pool.fields_rm @ fitted.weights_m / fitted.hyperparameters.field_scale
    parts = [
        rows["field"][1] * f if "field" in rows else np.zeros(0)
        for rows, f in zip(pool.rows_k, pool.factors_k, strict=True)
    ]
    return np.split(predicted_r - np.concatenate(parts), pool.ends_k[1:-1])


def field_rms(errors_k: Sequence[FloatArray], chosen: Sequence[int]) -> FloatArray | None:
    """Return the root mean square field error of chosen configurations, per Cartesian component, meV; None without."""
    found = [1e3 * CARTESIAN * rms(errors_k[k]) for k in chosen if len(errors_k[k])]
    return np.array(found) if found else None


def rms(values: FloatArray) -> float:
    """Return the root mean square of some values."""
    return float(np.sqrt(np.mean(np.square(values))))


def _rotate_to_principal_axes(dataset: Dataset, rows_k: Sequence[Rows], basis: ModelBasis) -> Pool:
    """Return the pool with every block rotated to the principal axes of its rows."""
    size = {target: _mean_square(rows_k, target) for target in {name for rows in rows_k for name in rows}}
    gram_mm = np.zeros((basis.size, basis.size))
    for rows in rows_k:
        for target, (rows_rm, _) in rows.items():
            gram_mm += rows_rm.T @ rows_rm / size[target]
    rotations, blocks, end, n_pair = [], {}, 0, 0
    for name, block in basis.blocks.items():
        fixed = name in FIXED_BLOCKS
        rotation_bm = np.eye(block.stop - block.start) if fixed else _principal_axes(gram_mm[block, block])
        blocks[name] = slice(end, end + rotation_bm.shape[1])
        rotations.append((block, rotation_bm))
        end += rotation_bm.shape[1]
        n_pair = end if not name.startswith("gp ") else n_pair

    def rotate(rows_rm: FloatArray) -> FloatArray:
        return np.concatenate([rows_rm[:, block] @ rotation_bm for block, rotation_bm in rotations], axis=1)

    rotated = [{t: (rotate(rows_rm), values_r) for t, (rows_rm, values_r) in rows.items()} for rows in rows_k]
    return Pool(dataset, tuple(rotated), blocks, n_pair)


def _principal_axes(gram_bb: FloatArray) -> FloatArray:
    """Return the axes (b, m) along which rows have components; at least one, so that every block remains."""
    values_g, vectors_bg = np.linalg.eigh(gram_bb)
    kept_g = values_g > NEGLIGIBLE * max(float(values_g[-1]), 1e-300)
    kept_g[-1] = True
    return np.asarray(vectors_bg[:, kept_g][:, ::-1])


def _mean_square(rows_k: Sequence[Rows], target: str) -> float:
    values_r = np.concatenate([np.sum(rows[target][0] ** 2, axis=1) for rows in rows_k if target in rows])
    return max(float(values_r.mean()), 1e-300)
