"""Draw the figures of a campaign as SVG text; nothing is computed here."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from aiida.orm import ArrayData
from ase.data import chemical_symbols

from soso_core.active.stopping.records import BatchRecord
from soso_core.app.plots import GUIDE, draw_curve, draw_parity, draw_target, new_figure, svg_text
from soso_core.gp.model.fitted import FittedModel

SERIES = {
    "{}_rmse_{}": ("o-", "#1f5fa8", "blind error"),
    "{}_std_{}": ("^:", "#6a9f58", "predicted standard deviation"),
    "pair_only_{}_rmse_{}": ("s--", "#b5651d", "pair-only baseline"),
}
"""Key of each series in the record of a batch, its style, colour and name."""
PANELS = {("energy", "meV_per_spin"): "energy (meV/spin)", ("field", "meV"): "effective field −∂E/∂e (meV)"}


def learning_curve(batches: Sequence[BatchRecord], policy: dict[str, Any]) -> str:
    """Draw blind errors, predicted deviations and pair-only errors against the labels of the tested model."""
    figure, panels = new_figure(2)
    for axes, ((quantity, unit), label) in zip(panels, PANELS.items(), strict=True):
        for form, (style, color, name) in SERIES.items():
            key = form.format(quantity, unit)
            points = [(old.n_labels, y) for old, new in pairwise(batches) if (y := getattr(new, key, None)) is not None]
            if points:
                counts_n, values_n = np.array(points, dtype=float).T
                draw_curve(axes, counts_n, values_n[None], name, style, color)
        if (target := policy.get(f"target_{quantity}_{unit}")) is not None:
            draw_target(axes, target)
        axes.set(xlabel="labels of the tested model", ylabel=label, ylim=(0, None))
        axes.legend(frameon=False)
    return svg_text(figure)


def parity(predictions: dict[int, ArrayData]) -> str:
    """Draw blind predictions against labels, with one colour for each batch."""
    figure, panels = new_figure(2)
    for batch, arrays in sorted(predictions.items()):
        for axes, target in zip(panels, ("energy", "field"), strict=True):
            std_k = arrays.get_array("energy_std") if target == "energy" else None
            label_k, predicted_k = arrays.get_array(f"{target}_label"), arrays.get_array(target)
            draw_parity(axes, target, label_k, predicted_k, std_k, name=f"batch {batch}")
    panels[0].legend(frameon=False, fontsize=8)
    return svg_text(figure)


def exchange_curve(model: FittedModel, r_min: float) -> str:
    """Draw J(r) from `r_min` (Å), the λ = 1 pair curve of each species pair, with a band of two deviations."""
    figure, (axes,) = new_figure(1)
    r_r = np.linspace(r_min, model.basis.pair_part.settings.cutoff_angstrom, 300)
    for curve in model.pair_curves(r_r):
        if curve["lam"] != 1:
            continue
        name = "-".join(chemical_symbols[number] for number in curve["species"])
        (line,) = axes.plot(r_r, curve["mean_r"], label=name)
        low_r, high_r = curve["mean_r"] - 2 * curve["std_r"], curve["mean_r"] + 2 * curve["std_r"]
        axes.fill_between(r_r, low_r, high_r, color=line.get_color(), alpha=0.25, lw=0)
    axes.axhline(0.0, color=GUIDE, lw=1, zorder=0)
    axes.set(xlabel="r (Å)", ylabel="J(r) in E = Σ J e·e over pairs (meV)")
    axes.legend(frameon=False)
    return svg_text(figure)
