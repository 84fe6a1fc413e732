"""Separate the causes of the error on the paramagnet with 45 labels: label noise, magnitudes, body order, few data.

`make bench-limits` prints one line for each experiment and writes results/limits.json.
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.formats import atomic_write, read_dataset
from soso_core.gp.assessment.evaluation import compare
from soso_core.gp.inference.defaults import choices
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.settings import FitSettings
from soso_core.threads import available_cores

DATA = Path(__file__).parents[2] / "shared" / "data" / "bcc_fe_paramagnetic_60.extxyz"
RESULTS = Path(__file__).parent / "results" / "limits.json"
N_TRAIN, N_SPLITS = 45, 8
MORE_CHANNELS = (("1", "1"), ("1", "P1"), ("P1", "P1"), ("vector", "vector"), ("1", "P2"), ("P1", "P2"))


def variants(dataset: Dataset) -> dict[str, tuple[FitSettings, int]]:
    """Return settings and number of labels of every fit, by name: the settings the evidence chooses, and others."""
    usual = next(each for each in choices(dataset) if each.three_body is not None and each.three_body.decay == 4.0)
    assert usual.three_body is not None
    wider = usual.three_body.model_copy(update={"channel_pairs": MORE_CHANNELS})
    return {
        "products of two (zeta 2)": (usual, N_TRAIN),
        "single channel pairs (zeta 1)": (usual.model_copy(update={"zeta": 1}), N_TRAIN),
        "products of three (zeta 3)": (usual.model_copy(update={"zeta": 3, "n_inducing": 30}), N_TRAIN),
        "P2 channels": (usual.model_copy(update={"three_body": wider, "n_inducing": 40}), N_TRAIN),
        "twice the inducing points": (usual.model_copy(update={"n_inducing": 2 * usual.n_inducing}), N_TRAIN),
        "l up to 6": (
            usual.model_copy(update={"three_body": usual.three_body.model_copy(update={"l_max": 6})}),
            N_TRAIN,
        ),
        "11 labels": (usual, 11),
        "22 labels": (usual, 22),
    }


def run(settings: FitSettings, n_train: int, seed: int) -> tuple[float, float, FloatArray, FloatArray]:
    """Return energy error (meV/spin), field error (meV), energy residuals per spin, powers of moment deviations."""
    dataset = read_dataset(DATA)
    order = np.random.default_rng(seed).permutation(len(dataset))
    test = dataset.subset(order[N_TRAIN:])
    model = fit(dataset.subset(order[:n_train]), settings, np.random.default_rng(seed))
    predictions = [model.predict(item.configuration, with_std=False) for item in test]
    found = compare(predictions, test, model.hyperparameters)
    deviations = [item.moment_magnitudes_a - p.moment_magnitudes_a for item, p in zip(test, predictions, strict=True)]  # type: ignore[operator]
    powers = np.array([[np.mean(d), np.mean(d**2)] for d in deviations])
    errors = found["energy"].errors
    return 1e3 * _rms(errors), 1e3 * _rms(found["field"].errors), errors, powers


def label_noise(dataset: Dataset) -> float:
    """Return the noise of a field component, meV, that would break Σ e_i × ∂E/∂e_i = 0 as much as the labels do.

    Without spin-orbit coupling the energy does not change when all spins turn together; a sum over N spins of
    independent errors of deviation σ per component has deviation σ √(2N/3).
    """
    torques = [np.cross(i.configuration.spins_ac, i.effective_fields_ac).sum(axis=0) for i in dataset]  # type: ignore[arg-type]
    return 1e3 * _rms(np.array(torques)) / np.sqrt(2.0 / 3.0 * len(dataset[0].configuration))


def share_explained_by_moments(errors_k: FloatArray, powers_kf: FloatArray) -> float:
    """Return the share of the variance of the energy errors that moment deviations explain, adjusted for the fit."""
    n, columns = len(errors_k), np.column_stack([np.ones(len(errors_k)), powers_kf])
    left_k = errors_k - columns @ np.linalg.lstsq(columns, errors_k, rcond=None)[0]
    return float(1.0 - np.var(left_k) / np.var(errors_k) * (n - 1) / (n - columns.shape[1]))


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def main() -> int:
    """Run the experiments; exit code 2 without the data."""
    if not DATA.is_file():
        print(f"the published data are not in {DATA}", file=sys.stderr)
        return 2
    dataset = read_dataset(DATA)
    os.environ["SOSO_NUM_THREADS"] = "1"  # a process for each core instead
    rows: dict[str, Any] = {"label noise of a field component, meV": label_noise(dataset)}
    with ProcessPoolExecutor(available_cores()) as pool:
        jobs = {
            name: [pool.submit(run, *settings, seed) for seed in range(N_SPLITS)]
            for name, settings in variants(dataset).items()
        }
        for name, futures in jobs.items():
            results = [future.result() for future in futures]
            energy, field = (float(np.mean([result[k] for result in results])) for k in range(2))
            rows[name] = {"energy_meV_per_spin": energy, "field_meV": field}
            print(f"{name:32s} energy {energy:.3f} meV/spin   field {field:.2f} meV", flush=True)
            if name.endswith("(zeta 2)"):
                errors_k, powers_kf = (np.concatenate([result[k] for result in results]) for k in (2, 3))
                rows["share explained by moments"] = share_explained_by_moments(errors_k, powers_kf)
    print(f"{'label noise of a field component':32s} {rows['label noise of a field component, meV']:.2f} meV")
    print(f"{'energy error explained by moments':32s} {100 * rows['share explained by moments']:.0f} % of its variance")
    with atomic_write(RESULTS) as temporary:
        temporary.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
