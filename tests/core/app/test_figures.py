"""What is drawn: the numbers in the panels, not the pixels."""

import numpy as np
import pytest

from soso_core.app.figures import MANY, evaluation_figure, save_figure
from soso_core.errors import InputError
from soso_core.gp.assessment.comparison import Comparison
from soso_core.gp.assessment.evaluation import Reliability

CURVE = Reliability(expected=(0.5, 0.9), observed=(0.4, 0.8), coverage_90=0.8, n_labels=7)


def comparison(n_points=4, deviation=0.002, level=-8.0):
    labels = level + 0.001 * np.arange(n_points)
    deviations = np.full(n_points, deviation) if deviation else np.zeros(0)
    return Comparison(labels, labels + 0.003, deviations, np.full(n_points, level))


def points(axes):
    line = axes.lines[0]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def test_energies_are_drawn_over_their_level_in_mev():
    figure = evaluation_figure({"energy": comparison()}, {}, "title")
    (axes,) = figure.axes
    x, y = points(axes)
    np.testing.assert_allclose(x, [0, 1, 2, 3], atol=1e-9)
    np.testing.assert_allclose(y - x, 3.0, atol=1e-9)
    (bars,) = axes.collections
    lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    np.testing.assert_allclose(lengths, 2 * 2.0, atol=1e-9)


def test_lengths_are_drawn_as_they_are():
    figure = evaluation_figure({"length": comparison(level=2.2)}, {}, "title")
    np.testing.assert_allclose(points(figure.axes[0])[0], 2.2 + 0.001 * np.arange(4), atol=1e-12)


def test_a_panel_for_each_target_and_one_for_reliability():
    names = ("energy", "field", "force", "stress")
    figure = evaluation_figure({name: comparison() for name in names}, {"energy": CURVE}, "title")
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == 5
    assert drawn[-1].get_xlabel() == "expected coverage"
    np.testing.assert_allclose(points(drawn[-1]), ([0.5, 0.9], [0.4, 0.8]))
    assert "energy (7)" in [text.get_text() for text in drawn[-1].get_legend().get_texts()]


def test_no_bars_where_none_were_predicted():
    figure = evaluation_figure({"stress": comparison(deviation=0.0)}, {}, "title")
    assert not figure.axes[0].collections


@pytest.mark.parametrize(("n_points", "pixels"), [(MANY - 1, False), (MANY, True)])
def test_many_points_do_not_swell_a_vector_file(n_points, pixels):
    figure = evaluation_figure({"field": comparison(n_points)}, {}, "title")
    assert bool(figure.axes[0].lines[0].get_rasterized()) is pixels


def test_an_unknown_format_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="must end in"):
        save_figure(tmp_path / "figure.tiff", evaluation_figure({"energy": comparison()}, {}, "title"))
    assert not list(tmp_path.iterdir())
