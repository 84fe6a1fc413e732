"""Figures of an evaluation: parity of every target, and the reliability of its error bars."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soso_core.arrays import FloatArray
from soso_core.errors import InputError
from soso_core.formats import atomic_write
from soso_core.gp.assessment.comparison import Comparison
from soso_core.gp.assessment.evaluation import Reliability

FORMATS = (".png", ".svg", ".pdf")
QUANTITIES = {
    "energy": ("energy over its level", "meV/spin"),
    "field": ("field −∂E/∂e", "meV"),
    "force": ("force", "meV/Å"),
    "stress": ("stress", "meV/Å³"),
    "length": ("moment length", "μB"),
}
"""Name and unit of each target on its axes."""
POINT, BAR, GUIDE = "#1f5fa8", "#9db8d9", "#888888"
MANY = 2000
"""So many points are drawn as pixels, also in a vector format."""


def check_format(path: Path) -> None:
    """Raise InputError when the name does not end in a format that can be drawn."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"cannot draw {path}: its name must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")


def evaluation_figure(found: Mapping[str, Comparison], reliability: Mapping[str, Reliability], title: str) -> Figure:
    """Return one parity panel for each target and, when there are error bars, one of their reliability."""
    n_panels = len(found) + bool(reliability)
    n_columns = min(3, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure = Figure(figsize=(4.6 * n_columns, 4.2 * n_rows), layout="constrained")
    panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    for axes, (target, each) in zip(panels, found.items(), strict=False):
        draw_parity(axes, target, each)
    if reliability:
        draw_reliability(panels[n_panels - 1], reliability)
    for axes in panels[n_panels:]:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=10)
    return figure


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure in the format of its name, whole or not at all.  Raises InputError for another format."""
    check_format(path)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lower()[1:], dpi=150)


def draw_parity(axes: Axes, target: str, each: Comparison) -> None:
    """Draw predictions against labels, with predicted standard deviations; energies without their level."""
    name, unit = QUANTITIES[target]
    factor = 1.0 if target == "length" else 1e3
    level_k = each.levels if target == "energy" else np.zeros(len(each.levels))
    label_k, predicted_k = factor * (each.labels - level_k), factor * (each.predictions - level_k)
    bar_k = factor * each.deviations if len(each.deviations) else None
    axes.errorbar(
        label_k,
        predicted_k,
        yerr=bar_k,
        fmt="o",
        ms=3 if len(label_k) < MANY else 1.5,
        color=POINT,
        ecolor=BAR,
        elinewidth=0.8,
        rasterized=len(label_k) >= MANY,
    )
    axes.axline(_middle(label_k), slope=1, color=GUIDE, lw=1, zorder=0)
    axes.set(xlabel=f"label: {name} ({unit})", ylabel=f"prediction ({unit})")
    axes.spines[["top", "right"]].set_visible(False)


def draw_reliability(axes: Axes, curves: Mapping[str, Reliability]) -> None:
    """Draw the observed against the expected coverage of each target."""
    for target, curve in curves.items():
        axes.plot(curve.expected, curve.observed, "o-", ms=3, lw=1, label=f"{target} ({curve.n_labels})")
    axes.axline((0.0, 0.0), slope=1, color=GUIDE, lw=1, zorder=0)
    axes.set(xlabel="expected coverage", ylabel="observed coverage", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _middle(values_k: FloatArray) -> tuple[float, float]:
    middle = float(np.mean(values_k))
    return middle, middle
