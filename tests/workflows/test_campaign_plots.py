"""The figures of a campaign show its numbers at the right places."""

from types import SimpleNamespace

import numpy as np
import pytest

from soso_core.active.stopping.records import BatchRecord
from soso_workflows.views import plots


@pytest.fixture
def drawn(monkeypatch):
    """Return the panels of the next figure instead of its SVG text."""
    monkeypatch.setattr(plots, "svg_text", lambda figure: figure.axes)


def test_a_blind_error_stands_at_the_labels_of_the_model_that_made_it(drawn):
    batches = [
        BatchRecord(batch=0, n_labels=6, n_failed=0),
        BatchRecord(batch=1, n_labels=10, n_failed=0, n_blind=4, energy_rmse_meV_per_spin=3.0, field_rmse_meV=20.0),
        BatchRecord(batch=2, n_labels=14, n_failed=0, n_blind=4, energy_rmse_meV_per_spin=2.0),
    ]
    energy, field = plots.learning_curve(batches, {"target_energy_meV_per_spin": 1.5})
    np.testing.assert_allclose(energy.lines[0].get_xydata(), [[6, 3.0], [10, 2.0]])
    np.testing.assert_allclose(energy.lines[1].get_ydata(), 1.5)
    np.testing.assert_allclose(field.lines[0].get_xydata(), [[6, 20.0]])


def test_parity_has_labels_on_the_abscissa_and_bars_on_energies(drawn):
    values = {"energy": [1.5], "energy_label": [1.0], "energy_std": [0.2], "field": [4.0], "field_label": [5.0]}
    energy, field = plots.parity({0: SimpleNamespace(get_array=lambda name: np.array(values[name]))})
    np.testing.assert_allclose(energy.lines[0].get_xydata(), [[1.0, 1.5]])
    np.testing.assert_allclose(energy.collections[0].get_segments()[0][:, 1], [1.3, 1.7])
    np.testing.assert_allclose(field.lines[0].get_xydata(), [[5.0, 4.0]])
    assert not field.collections
