"""Learning curves with bands."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soso_core.active.offline.replay import Run, Strategy
from soso_core.active.offline.study import curve

COLOURS = {"mean-variance": "#1f5fa8", "energy-variance": "#2a9d6f", "farthest-point": "#b8860b", "random": "#888888"}
PANELS = (
    ("energy", "rms error of the energy (meV/spin)"),
    ("energy_largest", "largest error of the energy (meV/spin)"),
    ("field", "rms error of −∂E/∂e (meV)"),
    ("field_largest", "largest error of −∂E/∂e (meV)"),
)


def learning_curves(runs: Mapping[Strategy, Sequence[Run]], target: float, title: str) -> Figure:
    """Return errors on what is left against labels: the mean over seeds, and the band that holds two thirds of them."""
    has_fields = all(step.field is not None for each in runs.values() for run in each for step in run.steps)
    panels = PANELS if has_fields else PANELS[:2]
    figure = Figure(figsize=(4.8 * len(panels), 4.2), layout="constrained")
    for axes, (key, name) in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True):
        for strategy, each in runs.items():
            draw_curve(axes, each, key, strategy)
        axes.set(xlabel="labels", ylabel=name, yscale="log")
        axes.spines[["top", "right"]].set_visible(False)
        if key == "energy":
            axes.axhline(target, color="#cc4444", lw=1, ls=":")
            axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def draw_curve(axes: Axes, runs: Sequence[Run], key: str, name: str) -> None:
    """Draw one curve with its band."""
    counts_n, values_sn = curve(runs, key)
    low_n, high_n = np.quantile(values_sn, [1.0 / 6.0, 5.0 / 6.0], axis=0)
    colour = COLOURS.get(name, "#1f5fa8")
    axes.fill_between(counts_n, low_n, high_n, color=colour, alpha=0.2, lw=0)
    axes.plot(counts_n, values_sn.mean(axis=0), "o-", ms=3, lw=1.2, color=colour, label=name)
