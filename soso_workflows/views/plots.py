"""Figures of a campaign, each an SVG text; nothing is computed here."""

import io
from itertools import pairwise
from typing import Any

import numpy as np
from aiida.orm import ArrayData
from ase.data import chemical_symbols
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soso_core.gp.model.fitted import FittedModel

MODEL, BASELINE, SIGMA, TARGET = "#1f5fa8", "#b5651d", "#6a9f58", "#888888"


def learning_curve(batches: list[dict[str, Any]], policy: dict[str, Any]) -> str:
    """Return blind errors, GP sigma and pair-only baseline against the labels trained on when they were made."""
    figure, (energy, field) = _figure(2)
    blind = [(before["n_labels"], batch) for before, batch in pairwise(batches)]
    _curve(energy, blind, "energy_rmse_meV_per_spin", "o-", MODEL, "blind error")
    _curve(energy, blind, "energy_std_meV_per_spin", "^:", SIGMA, "predicted sigma")
    _curve(energy, blind, "pair_only_energy_rmse_meV_per_spin", "s--", BASELINE, "pair-only baseline")
    energy.axhline(policy["target_energy_meV_per_spin"], color=TARGET, lw=1, label="target")
    _curve(field, blind, "field_rmse_meV", "o-", MODEL, "blind error")
    _curve(field, blind, "pair_only_field_rmse_meV", "s--", BASELINE, "pair-only baseline")
    if policy.get("target_field_meV") is not None:
        field.axhline(policy["target_field_meV"], color=TARGET, lw=1, label="target")
    energy.set(xlabel="labels the model had seen", ylabel="energy (meV per spin)", ylim=(0, None))
    field.set(xlabel="labels the model had seen", ylabel="field −∂E/∂e (meV)", ylim=(0, None))
    energy.legend(frameon=False)
    field.legend(frameon=False)
    return _svg(figure)


def parity(predictions: dict[int, ArrayData]) -> str:
    """Return blind predictions against labels, one colour a batch."""
    figure, (energy, field) = _figure(2)
    for batch, arrays in sorted(predictions.items()):
        bars = arrays.get_array("energy_std")
        label, predicted = arrays.get_array("energy_label"), arrays.get_array("energy")
        energy.errorbar(label, predicted, yerr=bars, fmt="o", ms=4, lw=1, label=f"batch {batch}")
        field.plot(arrays.get_array("field_label"), arrays.get_array("field"), ".", ms=2)
    energy.legend(frameon=False, fontsize=8)
    for axes, what in ((energy, "energy (meV per spin)"), (field, "field −∂E/∂e (meV)")):
        axes.axline((0, 0) if axes is field else _anchor(predictions), slope=1, color=TARGET, lw=1, zorder=0)
        axes.set(xlabel=f"label: {what}", ylabel=f"blind prediction: {what}")
    return _svg(figure)


def exchange_curve(model: FittedModel, r_min: float) -> str:
    """Return J(r) from `r_min` (Å), the λ = 1 pair curve of each species pair, with a band of two deviations."""
    figure, (axes,) = _figure(1)
    r_r = np.linspace(r_min, model.basis.pair_part.settings.cutoff_angstrom, 300)
    for curve in model.pair_curves(r_r):
        if curve["lam"] != 1:
            continue
        name = "-".join(chemical_symbols[number] for number in curve["species"])
        (line,) = axes.plot(r_r, curve["mean_r"], label=name)
        low_r, high_r = curve["mean_r"] - 2 * curve["std_r"], curve["mean_r"] + 2 * curve["std_r"]
        axes.fill_between(r_r, low_r, high_r, color=line.get_color(), alpha=0.25, lw=0)
    axes.axhline(0.0, color=TARGET, lw=1, zorder=0)
    axes.set(xlabel="r (Å)", ylabel="J(r) in E = Σ J e·e over pairs (meV)")
    axes.legend(frameon=False)
    return _svg(figure)


def _curve(axes: Axes, blind: list[tuple[int, dict[str, Any]]], key: str, style: str, color: str, label: str) -> None:
    points = [(seen, batch[key]) for seen, batch in blind if batch[key] is not None]
    if points:
        axes.plot(*zip(*points, strict=True), style, color=color, label=label, ms=5)


def _anchor(predictions: dict[int, ArrayData]) -> tuple[float, float]:
    first = float(next(iter(predictions.values())).get_array("energy_label")[0])
    return first, first


def _figure(n_panels: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.2 * n_panels, 3.8), layout="constrained")
    axes = figure.subplots(1, n_panels, squeeze=False)[0]
    for item in axes:
        item.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return buffer.getvalue().decode("utf8")
