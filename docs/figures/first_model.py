"""Draw the figure of the README: effective fields of cells outside the fit, and errors against the number of labels.

The labels are the 40 cells of bcc iron in workchains/campaigns/bcc_fe_pool.extxyz, computed by the embedded engine.
Run it as `python docs/figures/first_model.py`; it prints the errors and writes first_model.svg beside itself.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soso_core import Dataset, Evaluation, FittedModel, choose_settings, evaluate, fit, read_dataset

HERE = Path(__file__).parent
POOL = HERE.parents[1] / "workchains" / "campaigns" / "bcc_fe_pool.extxyz"
COUNTS = (8, 12, 16, 20, 24)
N_TEST = 16
SEEDS = range(12)
BLUE, GREY = "#1f5fa8", "#888888"


def fit_first(pool: Dataset, order: np.ndarray, n_labels: int) -> FittedModel:
    """Return a model of the first `n_labels` labels in the given order."""
    train = pool.subset(order[:n_labels])
    return fit(train, choose_settings(train), np.random.default_rng(0))


def evaluate_counts(pool: Dataset, seed: int) -> list[Evaluation]:
    """Return the errors on 16 random cells after fits to growing parts of the other 24."""
    order = np.random.default_rng(seed).permutation(len(pool))
    test = pool.subset(order[-N_TEST:])
    return [evaluate(fit_first(pool, order, n_labels), test) for n_labels in COUNTS]


def draw_fields(axes: Axes, pool: Dataset) -> None:
    """Draw predicted against labelled effective fields of the cells outside a fit to 24 labels."""
    order = np.random.default_rng(0).permutation(len(pool))
    model, test = fit_first(pool, order, COUNTS[-1]), pool.subset(order[-N_TEST:])
    labels = [1e3 * item.effective_fields_ac for item in test]
    predicted = [1e3 * model.predict(item.configuration).effective_fields_ac for item in test]
    x, y = np.concatenate(labels).ravel(), np.concatenate(predicted).ravel()
    axes.axline((0.0, 0.0), slope=1.0, color=GREY, linewidth=0.8)
    axes.plot(x, y, "o", color=BLUE, markersize=4)
    axes.set(xlabel="effective field, label (meV)", ylabel="predicted (meV)", title=f"{N_TEST} cells outside the fit")


def draw_errors(axes: Axes, runs: list[list[Evaluation]]) -> None:
    """Draw mean errors of the energy against the number of labels, for the model and its pair part alone."""
    for label, colour, baseline in (("SOSO", BLUE, False), ("pair part alone", GREY, True)):
        errors = [[(item.pair_only if baseline else item).energy_rmse_meV_per_spin for item in run] for run in runs]
        mean = np.mean(errors, axis=0)
        print(label, *(f"{n}: {value:.2f}" for n, value in zip(COUNTS, mean, strict=True)), "meV per spin")
        axes.plot(COUNTS, mean, "o-", color=colour, label=label)
    axes.set(xlabel="labels", ylabel="energy, rms error (meV per spin)", title="learning curve")
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.set_ylim(bottom=0.0)
    axes.legend(frameon=False)


def main() -> None:
    """Fit, print the errors and write the figure."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "soso", "font.size": 9})
    pool = read_dataset(POOL)
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_fields(left, pool)
    draw_errors(right, [evaluate_counts(pool, seed) for seed in SEEDS])
    figure.savefig(HERE / "first_model.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
