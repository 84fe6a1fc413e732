"""The recorded small processes of the loop (calcfunctions): split, merge, test blind, record, decide.

Keyword inputs that come in any number are told apart by their prefix: `configuration_003` is the fourth
configuration of a batch, `label_003` what came back for it.
"""

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, Float, Int, Str

from soso_core.active.stopping.policy import PolicySettings, decide, trust
from soso_core.active.stopping.records import Alternative, BatchRecord, History, LearningCurve
from soso_core.dataset import Dataset
from soso_core.gp.assessment.comparison import Comparison
from soso_core.gp.assessment.evaluation import compared
from soso_core.gp.assessment.field_scale import field_scale_of
from soso_core.labels import LabelledConfiguration
from soso_core.quality import is_at_least, noted_quality
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel

CONFIGURATION, LABEL = "configuration_", "label_"
LARGEST_SEED = 2**31


@calcfunction
def split_batch(candidates: SosoDataset) -> dict[str, SosoDataset]:
    """Return every configuration of a batch as a node of its own, `configuration_000` and so on."""
    return {
        f"{CONFIGURATION}{index:03d}": SosoDataset.from_dataset([item])
        for index, item in enumerate(candidates.get_dataset())
    }


@calcfunction
def merge_labels(min_grade: Str, **nodes: SosoDataset) -> SosoDataset:
    """Return `dataset` (optional) followed by every `label_*` of `min_grade` or better, in order."""
    return SosoDataset.from_dataset(_concatenated(nodes, min_grade.value))


@calcfunction
def test_blind(model: SosoModel, min_grade: Str, **labels: SosoDataset) -> dict[str, Data]:
    """Return how `model` predicts those of `labels` that it was not trained on and that are of `min_grade` or better.

    `evaluation`: Dict with the keys of `soso evaluate`.  `predictions`: the arrays of `_predictions`, for figures.
    Nothing when the model has seen them all.
    """
    seen = seen_by(model)
    unseen = [item for item in _concatenated(labels, min_grade.value) if item.digest not in seen]
    if not unseen:
        return {}
    evaluation, found = compared(model.get_model(), Dataset(tuple(unseen)))
    return {"evaluation": Dict(evaluation.model_dump(mode="json")), "predictions": _predictions(found)}


test_blind.__test__ = False  # a calcfunction, not a test of pytest


@calcfunction
def record_batch(**nodes: Any) -> Dict:
    """Return the history with one more batch.

    Inputs: `min_grade`, `history`, `evaluation`, `cost` and `dataset` (each but the first optional; the last, all
    labels trained on, is asked whether energies and fields agree), the `configuration_*` that were asked for and the
    `label_*` that came; what was asked for and did not come has failed.  `cost` is that of `provenance.costs`.
    """
    history = nodes["history"].get_dict() if "history" in nodes else {"batches": []}
    asked = sorted(key.removeprefix(CONFIGURATION) for key in nodes if key.startswith(CONFIGURATION))
    came = {key.removeprefix(LABEL): nodes[key] for key in sorted(nodes) if key.startswith(LABEL)}
    failed = [int(index) for index in asked if index not in came]
    last = history["batches"][-1] if history["batches"] else {"n_labels": 0, "n_failed": 0}
    below = below_grade(came, nodes["min_grade"].value)
    record = BatchRecord(
        batch=len(history["batches"]),
        n_labels=last["n_labels"] + sum(label.n_configurations for label in came.values()) - len(below),
        n_failed=last["n_failed"] + len(failed),
        n_below_grade=last.get("n_below_grade", 0) + len(below),
        **_blind_errors(nodes["evaluation"].get_dict() if "evaluation" in nodes else None),
        **_hours(last, nodes["cost"].get_dict() if "cost" in nodes else None),
    )
    facts = {"failed": failed, "below_grade": below, "field_scale": _field_scale(nodes.get("dataset"))}
    return Dict({**history, "batches": [*history["batches"], {**record.model_dump(mode="json"), **facts}]})


@calcfunction
def extend_history(history: Dict, **labels: SosoDataset) -> Dict:
    """Return the history with a mark: from the next batch on another exploration is labelled.

    `labels` are those of an unfinished batch, which becomes the last one of the exploration before.
    """
    values = history.get_dict()
    since = len(values["batches"]) + bool(labels)
    return Dict({**values, "extensions": [*values.get("extensions", []), since]})


@calcfunction
def decide_next(history: Dict, policy: Dict, seed: Int, **nodes: Data) -> dict[str, Data]:
    """Return what `soso_core.active.stopping.policy.decide` says after the last batch of `history`.

    The optional `alternatives`, from `soso.alternatives`, answer `needs_learning_curve` of the decision before: only
    with that answer can it be "model form", which then names what would help.

    `decision`: Dict (action, reason, n_next, pooled blind errors); `history`: the same with the decision written
    to its last batch; `n_select`, `explore_seed`, `fit_seed`: Int, for the next batch, and `trusted`: Float
    once blind tests say how far its choice by variance can be trusted.
    """
    records, settings = History.model_validate(history.get_dict()), PolicySettings(**policy.get_dict())
    weighed = nodes["alternatives"].get_dict() if "alternatives" in nodes else {"alternatives": []}
    if "learning_curve" in weighed:
        records = records.with_last(learning_curve=LearningCurve(**weighed["learning_curve"]))
    decision = decide(records, settings, [Alternative(**item) for item in weighed["alternatives"]])
    trusted = trust(records.present)
    return {
        "decision": Dict(decision.model_dump(mode="json")),
        "history": Dict(records.with_last(decision=decision).model_dump(mode="json")),
        **({} if trusted is None else {"trusted": Float(trusted)}),
        **_plan(seed.value, len(records.batches), decision.n_next),
    }


@calcfunction
def plan_first_batch(policy: Dict, seed: Int) -> dict[str, Int]:
    """Return `n_select`, `explore_seed` and `fit_seed` of batch 0."""
    settings = PolicySettings(**policy.get_dict())
    return _plan(seed.value, 0, min(settings.n_initial, settings.max_labels))


def _plan(seed: int, batch: int, n_select: int) -> dict[str, Int]:
    return {
        "n_select": Int(n_select),
        "explore_seed": Int(_derived_seed(seed, batch, "explore")),
        "fit_seed": Int(_derived_seed(seed, batch, "fit")),
    }


def _derived_seed(seed: int, batch: int, purpose: str) -> int:
    """Return a seed that depends on the campaign's seed, the batch and the purpose, and on nothing else."""
    return int.from_bytes(sha256(f"{seed}/{batch}/{purpose}".encode()).digest()[:8], "big") % LARGEST_SEED


def is_usable(label: SosoDataset, min_grade: str) -> bool:
    """Whether any of a node's labels is of `min_grade` or better."""
    return any(is_at_least(item.grade, min_grade) for item in label.get_dataset())


def below_grade(labels: Mapping[str, SosoDataset], min_grade: str) -> list[dict[str, Any]]:
    """Return the labels that are not good enough: which, their grade, the number that limits it and its value."""
    return [
        {"label": index if label.n_configurations == 1 else f"{index} {k}", "grade": item.grade, **_limit(item)}
        for index, label in labels.items()
        for k, item in enumerate(label.get_dataset())
        if not is_at_least(item.grade, min_grade)
    ]


def _limit(item: LabelledConfiguration) -> dict[str, Any]:
    quality = noted_quality(item.info)
    key = quality.limited_by
    return {"limited_by": key, "value": None if key is None else quality.numbers[key]}


def _concatenated(nodes: dict[str, SosoDataset], min_grade: str) -> Dataset:
    """Return what is in `dataset` and, of the other nodes in order, the labels that are good enough."""
    known = nodes["dataset"].get_dataset().labelled if "dataset" in nodes else ()
    new = (item for key in sorted(nodes) if key != "dataset" for item in nodes[key].get_dataset())
    return Dataset((*known, *(item for item in new if is_at_least(item.grade, min_grade))))


def seen_by(model: SosoModel) -> frozenset[str]:
    """Return the digests of the labels that a model was fitted to."""
    return frozenset(model.base.attributes.get("digests", ()))


def knows_all(model: SosoModel, dataset: SosoDataset) -> bool:
    """Whether a model was fitted to all labels of a dataset."""
    return {item.digest for item in dataset.get_dataset()} <= seen_by(model)


def knows_more(model: SosoModel, dataset: SosoDataset) -> bool:
    """Whether a model was fitted to labels that a dataset does not hold."""
    return not seen_by(model) <= {item.digest for item in dataset.get_dataset()}


def _hours(last: Mapping[str, Any], cost: Mapping[str, Any] | None) -> dict[str, Any]:
    if cost is None:
        return {}
    core_hours = (last.get("core_hours") or 0.0) + sum(cost["core_hours"].values())
    return {"core_hours": core_hours, "wall_hours": cost["wall_hours"]}


def _field_scale(dataset: SosoDataset | None) -> dict[str, Any] | None:
    found = None if dataset is None else field_scale_of(dataset.get_dataset(), np.random.default_rng(0))
    return None if found is None else {**asdict(found), "disagrees": found.disagrees}


def _blind_errors(evaluation: dict[str, Any] | None) -> dict[str, Any]:
    if evaluation is None:
        return {}
    pair_only = evaluation["pair_only"] or {}
    return {
        "n_blind": evaluation["n_configurations"],
        "energy_rmse_meV_per_spin": evaluation["energy_rmse_meV_per_spin"],
        "field_rmse_meV": evaluation["field_rmse_meV"],
        "energy_std_meV_per_spin": evaluation["energy_std_meV_per_spin"],
        "energy_model_std_meV_per_spin": evaluation.get("energy_model_std_meV_per_spin"),
        "pair_only_energy_rmse_meV_per_spin": pair_only.get("energy_rmse_meV_per_spin"),
        "pair_only_field_rmse_meV": pair_only.get("field_rmse_meV"),
    }


def _predictions(found: Mapping[str, Comparison]) -> ArrayData:
    """Return blind predictions in meV: `energy`, `energy_std`, `energy_label` (per spin), `field`, `field_label`.

    Fields are the components of -∂E/∂e on magnetic atoms, in the units of the labels.  Arrays are empty where labels
    are absent.
    """
    empty = np.zeros(0)
    nothing = Comparison(empty, empty, empty, empty)
    energy, field = (found.get(target, nothing) for target in ("energy", "field"))
    std = energy.deviations if len(energy.deviations) else np.zeros(len(energy.labels))
    arrays = {"energy": energy.predictions, "energy_std": std, "energy_label": energy.labels}
    arrays |= {"field": field.predictions, "field_label": field.labels}
    return ArrayData({name: 1e3 * values_k for name, values_k in arrays.items()})
