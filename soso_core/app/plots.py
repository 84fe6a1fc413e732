"""Draw parity, reliability and learning curves; the commands and the campaign report share these functions."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soso_core.arrays import FloatArray
from soso_core.errors import InputError
from soso_core.formats import atomic_write

if TYPE_CHECKING:
    from soso_core.active.offline.replay import Run
    from soso_core.active.selection.acquisition import Acquisition
    from soso_core.gp.assessment.comparison import Comparison
    from soso_core.gp.assessment.evaluation import Reliability

FORMATS = (".png", ".svg", ".pdf")
QUANTITIES = {
    "energy": ("energy", "meV/spin"),
    "field": ("effective field −∂E/∂e", "meV"),
    "force": ("force", "meV/Å"),
    "stress": ("stress", "meV/Å³"),
    "moment": ("moment magnitude", "μB"),
}
"""Name and unit of each target on its axes."""
PANELS = {
    "energy": "energy, rms error (meV/spin)",
    "energy_largest": "energy, largest error (meV/spin)",
    "field": "effective field, rms error (meV)",
    "field_largest": "effective field, largest error (meV)",
}
"""Panels of a study: the number that each draws, and the label of its axis."""
COLOURS = {"mean-variance": "#1f5fa8", "energy-variance": "#2a9d6f", "random": "#888888"}
POINT, BAR, GUIDE = "#1f5fa8", "#9db8d9", "#888888"
MANY = 2000
"""From this number on, points are drawn as pixels, also in a vector format."""


def check_format(path: Path) -> None:
    """Raise InputError when the name does not end in a format that can be drawn."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"cannot draw {path}: its name must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure in the format of its name, whole or not at all.  Raises InputError for another format."""
    check_format(path)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lower()[1:], dpi=150)


def svg_text(figure: Figure) -> str:
    """Return a figure as the text of an SVG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return buffer.getvalue().decode("utf8")


def new_figure(n_panels: int, title: str | None = None, max_columns: int = 3) -> tuple[Figure, list[Axes]]:
    """Return a figure and its `n_panels` panels, row by row, `max_columns` to a row."""
    n_columns = min(max_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure = Figure(figsize=(4.8 * n_columns, 4.2 * n_rows), layout="constrained")
    panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[n_panels:]:
        axes.set_axis_off()
    figure.suptitle(title or "", fontsize=10)
    return figure, panels[:n_panels]


def evaluation_figure(found: Mapping[str, Comparison], reliability: Mapping[str, Reliability], title: str) -> Figure:
    """Draw a parity panel for each target and, when there are error bars, a panel of their reliability.

    Energies are drawn relative to the reference energies of their composition.
    """
    figure, panels = new_figure(len(found) + bool(reliability), title)
    for axes, (target, each) in zip(panels, found.items(), strict=False):
        reference_k = each.references if target == "energy" else np.zeros(len(each.references))
        factor = 1.0 if target == "moment" else 1e3
        std_k = factor * each.deviations if len(each.deviations) else None
        draw_parity(
            axes, target, factor * (each.labels - reference_k), factor * (each.predictions - reference_k), std_k
        )
        if target == "energy":
            axes.set_xlabel("label: energy relative to the references (meV/spin)")
    if reliability:
        draw_reliability(panels[-1], reliability)
    return figure


def study_figure(runs: Mapping[Acquisition, Sequence[Run]], target: float, title: str) -> Figure:
    """Draw the errors of each acquisition against the number of labels: mean and central two thirds of the seeds."""
    from soso_core.active.offline.study import curve

    has_fields = all(step.field is not None for each in runs.values() for run in each for step in run.steps)
    panels = dict(list(PANELS.items())[: 4 if has_fields else 2])
    figure, all_axes = new_figure(len(panels), title, max_columns=4)
    for axes, (key, name) in zip(all_axes, panels.items(), strict=True):
        for acquisition, each in runs.items():
            draw_curve(axes, *curve(each, key), acquisition, color=COLOURS.get(acquisition, POINT))
        axes.set(xlabel="labels", ylabel=name, yscale="log")
    draw_target(all_axes[0], target)
    all_axes[0].legend(frameon=False, fontsize=8)
    return figure


def draw_parity(
    axes: Axes,
    target: str,
    label_k: FloatArray,
    predicted_k: FloatArray,
    std_k: FloatArray | None = None,
    name: str | None = None,
) -> None:
    """Draw predictions (k,) against labels (k,), in the unit of the target, with bars of one standard deviation.

    `target` is a key of `QUANTITIES`; `name` is an entry of a legend, with a colour of its own.
    """
    quantity, unit = QUANTITIES[target]
    color, bar = (POINT, BAR) if name is None else (None, None)
    many = len(label_k) >= MANY
    points: dict[str, Any] = {"fmt": "o", "ms": 1.5 if many else 3.0, "color": color, "rasterized": many, "label": name}
    axes.errorbar(label_k, predicted_k, std_k, ecolor=bar, elinewidth=0.8, **points)
    if len(label_k):
        middle = float(np.mean(label_k))
        axes.axline((middle, middle), slope=1, color=GUIDE, lw=1, zorder=0)
    axes.set(xlabel=f"label: {quantity} ({unit})", ylabel=f"prediction ({unit})")


def draw_reliability(axes: Axes, curves: Mapping[str, Reliability]) -> None:
    """Draw the observed against the expected coverage of each target."""
    for target, curve in curves.items():
        axes.plot(curve.expected, curve.observed, "o-", ms=3, lw=1, label=f"{target} ({curve.n_labels})")
    axes.axline((0.0, 0.0), slope=1, color=GUIDE, lw=1, zorder=0)
    axes.set(xlabel="expected coverage", ylabel="observed coverage", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8)


def draw_curve(
    axes: Axes, counts_n: FloatArray, values_sn: FloatArray, name: str, style: str = "o-", color: str = POINT
) -> None:
    """Draw the mean over s of values against counts, with the central two thirds of them where there are several."""
    if len(values_sn) > 1:
        low_n, high_n = np.quantile(values_sn, [1.0 / 6.0, 5.0 / 6.0], axis=0)
        axes.fill_between(counts_n, low_n, high_n, color=color, alpha=0.2, lw=0)
    axes.plot(counts_n, values_sn.mean(axis=0), style, ms=4, lw=1.2, color=color, label=name)


def draw_target(axes: Axes, target: float) -> None:
    """Draw the target of a campaign as a horizontal line."""
    axes.axhline(target, color="#cc4444", lw=1, ls=":", label="target")
