"""fit: from labelled configurations to a FittedModel."""

from collections.abc import Iterator, Mapping
from operator import add

import numpy as np
from scipy.linalg import cho_solve

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.descriptors.spin_pairs import species_indices
from soso_core.errors import InputError
from soso_core.gp.basis import DesignRows, ModelBasis, centred
from soso_core.gp.covariance import PolynomialCovariance
from soso_core.gp.evidence import Hyperprior, Scales, maximise_evidence, posterior
from soso_core.gp.fitted import FitRecord, FittedModel
from soso_core.gp.inducing import InducingPoints, choose_inducing_points
from soso_core.gp.normal_equations import NormalEquations
from soso_core.gp.settings import FitSettings
from soso_core.labels import LabelledConfiguration
from soso_core.neighbours import find_neighbours

FIXED_BLOCKS = frozenset({"species"})
SPECIES_PRIOR = 1.0
"""eV per atom around the least-squares reference energies: wide, they are not shrunk."""
GP_BELIEF = {"field": (1.0, 1.0), "energy": (10.0, 0.2)}
"""Expected GP amplitude and the width of its logarithm, by what the data are judged by.

The amplitude is relative to the one that would explain what the pair part leaves over.  With fields the
evidence has much to say and is left to say it.  The evidence of some tens of energies alone is nearly flat
in the amplitude and would rather call the rest noise, so there the belief is loud and firm.
"""
TYPICAL_SIZE = 0.05
"""eV: how much energies are expected to vary per spin when there are too few of them to tell."""
SMALLEST_SIZE = 1e-3
"""eV: energies and fields are not expected to vary by less."""
NOISE_FRACTION = 0.05
"""Where the belief in the noise starts, relative to the data."""


def fit(dataset: Dataset, settings: FitSettings, rng: np.random.Generator) -> FittedModel:
    """Return the model of highest evidence for the energies and fields at hand.

    Exact repeats count once: they are no new evidence, and would talk the noise down.
    `rng` draws the inducing points.  Raises InputError when no configuration has an energy or fields.
    """
    if not dataset.n_energies and not dataset.n_field_configurations:
        raise InputError("nothing to fit: no configuration has an energy or exchange fields")
    dataset = dataset.without_repeats()
    inducing = _inducing_points(dataset, settings, rng)
    uncentred = ModelBasis.uncentred(settings, dataset.species, inducing)
    basis = centred(uncentred, [item.configuration for item in dataset])
    offsets_s = reference_energies(dataset)
    equations: dict[str, NormalEquations] = {}
    for item in dataset:
        equations = _merge(equations, _equations(item, basis, offsets_s))
    facts = (offsets_s, _mean_moments(dataset), FitRecord.of(dataset))
    baseline_basis = basis.pair_only()
    columns = np.arange(baseline_basis.size)
    baseline_equations = {target: equation.restricted(columns) for target, equation in equations.items()}
    belief = _hyperprior(baseline_equations, baseline_basis.blocks)
    baseline = FittedModel(baseline_basis, *_solved(baseline_basis, baseline_equations, belief), *facts, None)
    belief = _with_gp(belief, equations, basis.blocks, baseline)
    return FittedModel(basis, *_solved(basis, equations, belief), *facts, baseline)


def reference_energies(dataset: Dataset) -> FloatArray:
    """Return the energy per atom of each species, (s,) eV, by least squares (minimum norm); zero without energies."""
    labelled = [item for item in dataset if item.energy is not None]
    if not labelled:
        return np.zeros(len(dataset.species))
    counts_ks = np.array([_species_counts(item.configuration, dataset.species) for item in labelled])
    energies_k = np.array([item.energy for item in labelled], dtype=float)
    return np.asarray(np.linalg.lstsq(counts_ks, energies_k, rcond=1e-8)[0])


def transverse_axes(spins_ac: FloatArray) -> FloatArray:
    """Return two orthonormal axes perpendicular to each unit spin, (a, 2, 3)."""
    smallest_a = np.argmin(np.abs(spins_ac), axis=1)
    first_ac = np.cross(spins_ac, np.eye(3)[smallest_a])
    first_ac /= np.linalg.norm(first_ac, axis=1, keepdims=True)
    return np.stack([first_ac, np.cross(spins_ac, first_ac)], axis=1)


def target_rows(
    item: LabelledConfiguration, rows: DesignRows, offset: float
) -> Iterator[tuple[str, FloatArray, FloatArray]]:
    """Yield (target, rows (k, m), values (k,)) of the labels present.

    Energies are divided by sqrt(number of spins), so that their noise is the same in every cell; fields
    enter as two transverse components per magnetic atom, as the third carries nothing.
    """
    where = item.configuration
    if item.energy is not None:
        root = np.sqrt(where.n_magnetic or len(where))
        yield "energy", rows.energy_m[None] / root, np.array([(item.energy - offset) / root])
    if item.spin_gradient_ac is not None and where.n_magnetic:
        magnetic = where.is_magnetic_a
        axes_akc = transverse_axes(where.spins_ac[magnetic])
        rows_akm = np.einsum("akc,acm->akm", axes_akc, rows.fields_acm[magnetic])
        values_ak = np.einsum("akc,ac->ak", axes_akc, item.spin_gradient_ac[magnetic])
        yield "field", rows_akm.reshape(-1, rows_akm.shape[2]), values_ak.ravel()


def _equations(item: LabelledConfiguration, basis: ModelBasis, offsets_s: FloatArray) -> dict[str, NormalEquations]:
    offset = float(_species_counts(item.configuration, basis.species) @ offsets_s)
    rows = target_rows(item, basis.rows(item.configuration), offset)
    return {target: NormalEquations.from_rows(rows_km, values_k) for target, rows_km, values_k in rows}


def _solved(
    basis: ModelBasis, equations: Mapping[str, NormalEquations], belief: Hyperprior
) -> tuple[FloatArray, FloatArray, Scales]:
    """Return weights, posterior factor and the scales of highest evidence."""
    scales = maximise_evidence(equations, basis.blocks, belief, FIXED_BLOCKS)
    return *posterior(equations, basis.blocks, scales), scales


def _merge(left: dict[str, NormalEquations], right: dict[str, NormalEquations]) -> dict[str, NormalEquations]:
    shared = {target: add(left[target], right[target]) for target in left.keys() & right.keys()}
    return left | right | shared


def _hyperprior(equations: Mapping[str, NormalEquations], blocks: Mapping[str, slice]) -> Hyperprior:
    """Centre every scale on the data: each block alone would explain their size, the noise a fraction of it."""
    size = {target: max(np.sqrt(e.square / e.n_rows), SMALLEST_SIZE) for target, e in equations.items()}
    if "field" in size and "energy" in size:
        # One or two energies are explained by the species constants and say nothing of their size; fields do.
        size["energy"] = max(size["energy"], size["field"])
    elif "energy" in size and equations["energy"].n_rows <= blocks["species"].stop:
        size["energy"] = TYPICAL_SIZE
    reference = "field" if "field" in equations else "energy"
    gram_m = np.diag(equations[reference].gram_mm) / equations[reference].n_rows
    prior = {}
    for name, block in blocks.items():
        row_size = np.sqrt(np.sum(gram_m[block]))
        # A block that the data do not move (λ = 0 on a rigid lattice) keeps a prior of the size of the data.
        prior[name] = float(size[reference] / (row_size if row_size > 1e-6 else 1.0))
    prior["species"] = SPECIES_PRIOR
    noise = {target: float(NOISE_FRACTION * s) for target, s in size.items()}
    return Hyperprior(Scales(prior, noise))


def _with_gp(
    belief: Hyperprior,
    equations: Mapping[str, NormalEquations],
    blocks: Mapping[str, slice],
    baseline: FittedModel,
) -> Hyperprior:
    """Return the belief with a GP that would explain what the pair part leaves over, and no more.

    What counts is the part of the GP columns that the pair part cannot express (its columns, held by their
    prior, projected out): near a rigid lattice it is a small part of them, on displaced cells a large one.
    """
    reference = "field" if "field" in equations else "energy"
    gram_mm, noise = equations[reference].gram_mm, baseline.scales.noise[reference]
    other, gp = slice(0, blocks["gp"].start), blocks["gp"]
    alone = {reference: equations[reference].restricted(np.arange(other.stop))}
    _, lower_mm = posterior(alone, baseline.basis.blocks, baseline.scales)
    shared_mm = cho_solve((lower_mm, True), gram_mm[other, gp])
    left_m = np.diag(gram_mm[gp, gp]) - np.sum(gram_mm[other, gp] * shared_mm, axis=0) / noise**2
    row_size = np.sqrt(max(float(np.sum(np.maximum(left_m, 0.0))), 1e-12) / equations[reference].n_rows)
    amplitude, log_width = GP_BELIEF[reference]
    prior = {**belief.centre.prior, "gp": amplitude * noise / row_size}
    return Hyperprior(Scales(prior, belief.centre.noise), log_width={"gp": log_width})


def _inducing_points(dataset: Dataset, settings: FitSettings, rng: np.random.Generator) -> InducingPoints:
    descriptor = ModelBasis.uncentred(settings, dataset.species, None).descriptor
    blocks, species = [], []
    for item in dataset:
        neighbours = find_neighbours(item.configuration, descriptor.cutoff)
        features = descriptor.compute(item.configuration, neighbours)
        blocks.append(features.x_af)
        species.append(species_indices(item.configuration, dataset.species))
    covariance = PolynomialCovariance(settings.zeta)
    return choose_inducing_points(np.concatenate(blocks), np.concatenate(species), settings.n_inducing, covariance, rng)


def _species_counts(configuration: Configuration, species: tuple[int, ...]) -> FloatArray:
    indices_a = species_indices(configuration, species)
    return np.bincount(indices_a, minlength=len(species)).astype(float)


def _mean_moments(dataset: Dataset) -> FloatArray:
    """Return the mean length of magnetic atoms of each species, (s,) μB; nan where no length is known."""
    total_s, count_s = np.zeros(len(dataset.species)), np.zeros(len(dataset.species))
    for item in dataset:
        if item.moments_a is not None:
            magnetic = item.configuration.is_magnetic_a
            indices_a = species_indices(item.configuration, dataset.species)[magnetic]
            total_s += np.bincount(indices_a, item.moments_a[magnetic], minlength=len(total_s))
            count_s += np.bincount(indices_a, minlength=len(total_s))
    return np.asarray(np.divide(total_s, count_s, out=np.full(len(total_s), np.nan), where=count_s > 0))
