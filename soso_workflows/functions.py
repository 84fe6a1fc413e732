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
from aiida.orm import Data, Dict, Int, Str

from soso_core.active.alternatives import weigh_alternatives
from soso_core.active.policy import Action, Alternative, BatchRecord, PolicySettings, decide
from soso_core.dataset import Dataset
from soso_core.gp.evaluation import evaluate
from soso_core.gp.field_scale import field_scale_of
from soso_core.labels import LabelledConfiguration
from soso_core.quality import is_at_least, noted_quality
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel
from soso_workflows.parity import parity_arrays

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
    """Return how `model`, which was not trained on `labels`, predicts those of `min_grade` or better.

    `evaluation`: Dict with the keys of `soso evaluate`.  `predictions`: the arrays of `parity_arrays`, for figures.
    """
    fitted, dataset = model.get_model(), _concatenated(labels, min_grade.value)
    evaluation = evaluate(fitted, dataset).model_dump(mode="json")
    return {"evaluation": Dict(evaluation), "predictions": parity_arrays(fitted, dataset)}


test_blind.__test__ = False  # a calcfunction, not a test of pytest


@calcfunction
def record_batch(**nodes: Data) -> Dict:
    """Return the history with one more batch.

    Inputs: `min_grade`, `history`, `evaluation` and `dataset` (each optional; the last, all labels trained on, is asked
    whether energies and fields agree), the `configuration_*` that were asked for and the `label_*` that came; what was
    asked for and did not come has failed.
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
    )
    facts = {"failed": failed, "below_grade": below, "field_scale": _field_scale(nodes.get("dataset"))}
    return Dict({"batches": [*history["batches"], {**record.model_dump(mode="json"), **facts}]})


@calcfunction
def decide_next(history: Dict, policy: Dict, seed: Int, **nodes: Data) -> dict[str, Data]:
    """Return what `soso_core.active.policy.decide` says after the last batch of `history`.

    With the optional `dataset` and `model`, a campaign that ends because the form of the model is the floor has other
    forms refitted to its labels, and the decision names the one that would help.

    `decision`: Dict (action, reason, n_next, pooled blind errors); `history`: the same with the decision written
    to its last batch; `n_select`, `explore_seed`, `fit_seed`: Int, for the next batch.
    """
    batches = history.get_dict()["batches"]
    records = [BatchRecord(**{key: item[key] for key in BatchRecord.model_fields if key in item}) for item in batches]
    settings = PolicySettings(**policy.get_dict())
    found = decide(records, settings)
    if found.action is Action.MODEL_FORM:
        found = decide(records, settings, _alternatives(nodes, seed.value))
    decision = found.model_dump(mode="json")
    decided = [*batches[:-1], {**batches[-1], "decision": decision}]
    return {
        "decision": Dict(decision),
        "history": Dict({"batches": decided}),
        **_plan(seed.value, len(batches), decision["n_next"]),
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


def _alternatives(nodes: Mapping[str, Any], seed: int) -> tuple[Alternative, ...]:
    """Return what other forms make of the labels; nothing without data and model, or with labels without an energy."""
    if not {"dataset", "model"} <= nodes.keys():
        return ()
    dataset, model = nodes["dataset"].get_dataset(), nodes["model"].get_model()
    if dataset.n_energies < len(dataset):
        return ()
    return weigh_alternatives(dataset, model.basis.settings, np.random.default_rng(seed))


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
