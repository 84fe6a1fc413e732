"""Plots show the right numbers; the pixels are not compared."""

import numpy as np
import pytest

from soso_core.active.offline.replay import Run, Step
from soso_core.active.stopping.records import BatchRecord
from soso_core.app.plots import MANY, draw_curve, evaluation_figure, new_figure, save_figure, study_figure, svg_text
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


def test_moments_are_drawn_as_they_are():
    figure = evaluation_figure({"moment": comparison(level=2.2)}, {}, "title")
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


def run(seed, errors, field=None):
    steps = [
        Step(n_labels=4 + 2 * n, energy=e, energy_largest=2 * e, expected=e, field=field, field_largest=field,
             action="continue", reason="", record=BatchRecord(batch=n, n_labels=4 + 2 * n, n_failed=0))
        for n, e in enumerate(errors)
    ]  # fmt: skip
    return Run(acquisition="random", seed=seed, picks=(), steps=tuple(steps))


def test_a_curve_is_the_mean_with_the_central_two_thirds():
    _, (axes,) = new_figure(1)
    values_sn = np.array([[4.0, 2.0], [5.0, 1.0], [9.0, 3.0]])
    draw_curve(axes, np.array([4.0, 6.0]), values_sn, "random")
    np.testing.assert_allclose(points(axes), ([4.0, 6.0], [6.0, 2.0]))
    outline = axes.collections[0].get_paths()[0].vertices
    low, high = np.quantile(values_sn[:, 0], [1 / 6, 5 / 6])
    assert {low, high} <= set(outline[outline[:, 0] == 4.0][:, 1])


def test_a_single_curve_has_no_band():
    _, (axes,) = new_figure(1)
    draw_curve(axes, np.array([4.0, 6.0]), np.array([[3.0, 2.0]]), "blind error")
    assert not axes.collections


@pytest.mark.parametrize(("field", "n_panels"), [(None, 2), (5.0, 4)])
def test_a_study_draws_fields_where_all_runs_have_them(field, n_panels):
    figure = study_figure({"random": [run(0, (3.0, 2.0), field), run(1, (5.0, 4.0), field)]}, 1.7, "title")
    assert len(figure.axes) == n_panels
    np.testing.assert_allclose(points(figure.axes[0]), ([4, 6], [4.0, 3.0]))
    np.testing.assert_allclose(points(figure.axes[1]), ([4, 6], [8.0, 6.0]))
    np.testing.assert_allclose(figure.axes[0].lines[1].get_ydata(), 1.7)


def test_a_figure_as_svg_text():
    figure, _ = new_figure(2)
    assert svg_text(figure).rstrip().endswith("</svg>")
