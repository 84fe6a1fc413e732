"""The calcfunctions of the loop: split, merge, test blind, record, decide.

The prefix of a keyword input gives its kind: `configuration_003` is the fourth configuration of a batch, `label_003`
its label.
"""

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Data, Dict, Int, Str

from soso_core.active.stopping.policy import PolicySettings, decide
from soso_core.active.stopping.records import (
    Alternative,
    BatchRecord,
    BelowGrade,
    FieldConsistency,
    History,
    LearningCurve,
)
from soso_core.dataset import Dataset
from soso_core.gp.assessment.comparison import Comparison
from soso_core.gp.assessment.evaluation import assess
from soso_core.gp.assessment.field_scale import field_scale_of
from soso_core.labels import LabelledConfiguration
from soso_core.quality import is_at_least, read_quality
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel

CONFIGURATION, LABEL, POPULATION = "configuration_", "label_", "population_std_meV_per_spin"
LARGEST_SEED = 2**31


@calcfunction
def split_batch(candidates: SosoDataset) -> dict[str, SosoDataset]:
    """Return each configuration of a batch as a node, `configuration_000` and so on."""
    return {
        f"{CONFIGURATION}{index:03d}": SosoDataset.from_dataset([item])
        for index, item in enumerate(candidates.get_dataset())
    }


@calcfunction
def merge_labels(min_grade: Str, **nodes: SosoDataset) -> SosoDataset:
    """Return `dataset` (optional) followed by every `label_*` of `min_grade` or better, in order."""
    return SosoDataset.from_dataset(_concatenate(nodes, min_grade.value))


@calcfunction
def test_blind(model: SosoModel, min_grade: Str, **nodes: SosoDataset) -> dict[str, Data]:
    """Return the blind test: `model` predicts the `label_*` that it was not trained on, of `min_grade` or better.

    `evaluation`: Dict with the keys of `soso evaluate`, `energy_standardised_rmse` and `population_std_meV_per_spin`
    (`stopping.blind_test`), the latter from the `configuration_*` of the batch.  `predictions`: the arrays of
    `_predictions`, for figures.  Nothing is returned when the model was trained on all labels.
    """
    labels = {key: node for key, node in nodes.items() if key.startswith(LABEL)}
    known = model.digests
    unseen = tuple(item for item in _concatenate(labels, min_grade.value) if item.digest not in known)
    if not unseen:
        return {}
    evaluation, found = assess(model.get_model(), Dataset(unseen))
    configurations = [node.get_dataset()[0] for key, node in sorted(nodes.items()) if key.startswith(CONFIGURATION)]
    standardised = {
        "energy_standardised_rmse": found["energy"].standardised_rms if "energy" in found else None,
        POPULATION: configurations[0].info.get(POPULATION) if configurations else None,
    }
    values = {**evaluation.model_dump(mode="json"), **standardised}
    return {"evaluation": Dict(values), "predictions": _predictions(found)}


test_blind.__test__ = False  # a calcfunction, not a test of pytest


@calcfunction
def record_batch(**nodes: Any) -> Dict:
    """Return the history with one more batch.

    Parameters
    ----------
    min_grade : Str
    history, evaluation, cost : Dict, optional
        The history so far, the blind test of the batch, and the cost record of `provenance.costs`.
    dataset : SosoDataset, optional
        All labels trained on, for the comparison of energies and fields.
    configuration_*, label_* : SosoDataset
        The configurations of the batch and the labels that came; those without a label have failed.
    """
    history = read_history(nodes.get("history"))
    last = history.batches[-1] if history.batches else BatchRecord(batch=0, n_labels=0, n_failed=0)
    wanted = sorted(key.removeprefix(CONFIGURATION) for key in nodes if key.startswith(CONFIGURATION))
    labels = {key.removeprefix(LABEL): nodes[key] for key in sorted(nodes) if key.startswith(LABEL)}
    failed = tuple(int(index) for index in wanted if index not in labels)
    below = below_grade(labels, nodes["min_grade"].value)
    record = BatchRecord(
        batch=len(history.batches),
        n_labels=last.n_labels + sum(label.n_configurations for label in labels.values()) - len(below),
        n_failed=last.n_failed + len(failed),
        n_below_grade=last.n_below_grade + len(below),
        failed=failed,
        below_grade=below,
        field_scale=_field_scale(nodes.get("dataset")),
        **_blind_errors(nodes["evaluation"].get_dict() if "evaluation" in nodes else None),
        **_hours(last, nodes["cost"].get_dict() if "cost" in nodes else None),
    )
    return Dict(history.with_batch(record).model_dump(mode="json"))


@calcfunction
def extend_history(history: Dict, **labels: SosoDataset) -> Dict:
    """Return the history with a mark: another exploration begins with the next batch.

    `labels` are those of an unfinished batch, which becomes the last one of the exploration before.
    """
    found = read_history(history)
    extensions = (*found.extensions, len(found.batches) + bool(labels))
    return Dict(found.model_copy(update={"extensions": extensions}).model_dump(mode="json"))


@calcfunction
def decide_next(history: Dict, policy: Dict, seed: Int, **nodes: Data) -> dict[str, Data]:
    """Return the decision of `soso_core.active.stopping.policy.decide` after the last batch of `history`.

    The optional `alternatives`, from `soso.alternatives`, answer `needs_learning_curve` of the decision before: only
    with that answer can it be "model form", which then names a model form that helps.

    `decision`: Dict (action, reason, n_next, pooled blind errors); `history`: the same with the decision written
    to its last batch; `n_select`, `explore_seed`, `fit_seed`: Int, for the next batch.
    """
    records, settings = read_history(history), PolicySettings(**policy.get_dict())
    weighed = nodes["alternatives"].get_dict() if "alternatives" in nodes else {"alternatives": []}
    if "learning_curve" in weighed:
        records = records.with_last(learning_curve=LearningCurve(**weighed["learning_curve"]))
    decision = decide(records, settings, [Alternative(**item) for item in weighed["alternatives"]])
    return {
        "decision": Dict(decision.model_dump(mode="json")),
        "history": Dict(records.with_last(decision=decision).model_dump(mode="json")),
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
        "explore_seed": Int(_derive_seed(seed, batch, "explore")),
        "fit_seed": Int(_derive_seed(seed, batch, "fit")),
    }


def _derive_seed(seed: int, batch: int, purpose: str) -> int:
    """Return a seed that depends only on the campaign's seed, the batch and the purpose."""
    return int.from_bytes(sha256(f"{seed}/{batch}/{purpose}".encode()).digest()[:8], "big") % LARGEST_SEED


def read_history(node: Dict | None) -> History:
    """Return the records in a history node; an empty history without a node."""
    return History() if node is None else History.model_validate(node.get_dict())


def is_usable(label: SosoDataset, min_grade: str) -> bool:
    """Return whether a label of the node has `min_grade` or better."""
    return any(is_at_least(grade, min_grade) for grade in label.grades)


def below_grade(labels: Mapping[str, SosoDataset], min_grade: str) -> tuple[BelowGrade, ...]:
    """Return the labels below the minimum grade, each with the quantity that limits its grade."""
    return tuple(
        _below_grade(index if label.n_configurations == 1 else f"{index} {k}", label.get_dataset()[k])
        for index, label in labels.items()
        for k, grade in enumerate(label.grades)
        if not is_at_least(grade, min_grade)
    )


def _below_grade(name: str, item: LabelledConfiguration) -> BelowGrade:
    quality = read_quality(item.info)
    key = quality.limited_by
    value = None if key is None else quality.numbers[key]
    return BelowGrade(label=name, grade=item.grade, limited_by=key, value=value)


def _concatenate(nodes: dict[str, SosoDataset], min_grade: str) -> tuple[LabelledConfiguration, ...]:
    """Return the labels of `dataset` and those of the other nodes, in order, of `min_grade` or better."""
    known = nodes["dataset"].get_dataset().labelled if "dataset" in nodes else ()
    new = (item for key in sorted(nodes) if key != "dataset" for item in nodes[key].get_dataset())
    return (*known, *(item for item in new if is_at_least(item.grade, min_grade)))


def _hours(last: BatchRecord, cost: Mapping[str, Any] | None) -> dict[str, Any]:
    if cost is None:
        return {}
    core_hours = (last.core_hours or 0.0) + sum(cost["core_hours"].values())
    return {"core_hours": core_hours, "wall_hours": cost["wall_hours"]}


def _field_scale(dataset: SosoDataset | None) -> FieldConsistency | None:
    found = None if dataset is None else field_scale_of(dataset.get_dataset(), np.random.default_rng(0))
    return None if found is None else FieldConsistency(**asdict(found), disagrees=found.disagrees)


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
        "energy_standardised_rmse": evaluation.get("energy_standardised_rmse"),
        POPULATION: evaluation.get(POPULATION),
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
