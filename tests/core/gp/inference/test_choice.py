"""The evidence as judge: between settings, and between the pair part and the GP."""

import numpy as np
import pytest
from spin_cells import complete_dataset, four_spin_label, heisenberg_label, random_spins, rigid_iron, skewed_iron

from soso_core import Dataset, InputError, LabelledConfiguration
from soso_core.gp.assessment.evaluation import evaluate
from soso_core.gp.inference.defaults import choices, choose_settings
from soso_core.gp.inference.regression import choose, fit, fit_candidate
from soso_core.gp.model.settings import FitSettings

SHORT = FitSettings(
    pair={"cutoff_angstrom": 2.7, "taper_angstrom": 0.1, "n_max": 4, "lambda_max": 1},
    descriptor=None,
    three_body={"cutoff_angstrom": 2.7, "taper_angstrom": 0.1, "n_max": 2, "l_max": 1},
    zeta=1,
    n_inducing=4,
)
LONG = SHORT.model_copy(update={"pair": SHORT.pair.model_copy(update={"cutoff_angstrom": 3.6, "lambda_max": 2})})


def test_the_settings_of_highest_evidence_are_chosen():
    """The magnet reaches to 3.3 Å and has a biquadratic part."""
    data = complete_dataset([skewed_iron(seed) for seed in range(6)])
    for offered in ((SHORT, LONG), (LONG, SHORT)):
        model, evidences = choose(data, offered, np.random.default_rng(0))
        assert model.basis.settings == LONG
        assert np.argmax(evidences) == offered.index(LONG)
        assert abs(evidences[0] - evidences[1]) > 10.0


def test_every_choice_is_weighed_and_seen():
    data = complete_dataset([skewed_iron(seed) for seed in range(3)])
    offered, seen = (SHORT, LONG, SHORT.model_copy(update={"n_inducing": 6})), []

    def track(some):
        for each in some:
            seen.append(each)
            yield each

    model, evidences = choose(data, offered, np.random.default_rng(4), track)
    assert seen == list(offered)
    streams = np.random.default_rng(4).spawn(3)
    alone = [fit_candidate(data, s, r).fitted.best.log_evidence for s, r in zip(offered, streams, strict=True)]
    np.testing.assert_allclose(evidences, alone, rtol=1e-12)
    best = int(np.argmax(evidences))
    again = fit(data, offered[best], np.random.default_rng(4).spawn(3)[best])
    np.testing.assert_array_equal(model.weights_m, again.weights_m)


def test_no_settings_no_choice():
    with pytest.raises(InputError, match="no settings to choose from"):
        choose(complete_dataset([skewed_iron(1)]), (), np.random.default_rng(0))


def gp_share(model, dataset):
    """Variance of the energies that the GP explains over that of the predicted energies."""
    rows_km = np.array([model.basis.energy_row(item.configuration) for item in dataset])
    gp_k = rows_km[:, model.basis.gp_columns] @ model.weights_m[model.basis.gp_columns]
    return float(np.var(gp_k) / np.var(rows_km @ model.weights_m))


def rigid_cells(n_cells, seed):
    rng = np.random.default_rng(seed)
    return [rigid_iron(random_spins(8, rng)) for _ in range(n_cells)]


def noisy_heisenberg(cell, rng):
    """Noise as of a converged calculation: 1 meV per sqrt(spin), and of each field component."""
    clean = heisenberg_label(cell, biquadratic=0.0)
    return LabelledConfiguration(
        cell,
        clean.energy + 1e-3 * np.sqrt(len(cell)) * rng.normal(),
        clean.exchange_fields_ac + 1e-3 / clean.moment_magnitudes_a[:, None] * rng.normal(size=(len(cell), 3)),
        clean.moment_magnitudes_a,
    )


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("n_labels", [5, 12])
def test_the_gp_spoils_little_in_a_heisenberg_magnet(n_labels, seed):
    """With as few labels as a first batch has, whatever reach the evidence chooses.

    On a rigid lattice the monomial of (1, 1) and (1, P1) is an exchange of pairs too, so more labels may share the
    exchange between both parts: then only the errors tell, which must stay below the noise.
    """
    rng = np.random.default_rng(seed)
    train = Dataset(tuple(noisy_heisenberg(cell, rng) for cell in rigid_cells(n_labels, 100 * seed + n_labels)))
    test = Dataset(tuple(heisenberg_label(cell, biquadratic=0.0) for cell in rigid_cells(10, 10)))
    model, _ = choose(train, choices(train), np.random.default_rng(0))
    errors = evaluate(model, test)
    if n_labels == 5:
        assert gp_share(model, test) < 0.1
    # Noise of an energy per spin, 1 meV / sqrt(8), and of a field.
    assert errors.energy_rmse_meV_per_spin < 0.35
    assert errors.field_rmse_meV < 0.7


def test_the_gp_speaks_where_four_spins_meet():
    train, test = (Dataset(tuple(four_spin_label(cell) for cell in rigid_cells(n, n))) for n in (16, 8))
    model = fit(train, choose_settings(train), np.random.default_rng(0))
    errors = evaluate(model, test)
    assert gp_share(model, test) > 0.1
    assert errors.field_rmse_meV < 0.5 * errors.pair_only.field_rmse_meV
    assert errors.energy_rmse_meV_per_spin < 0.7 * errors.pair_only.energy_rmse_meV_per_spin
