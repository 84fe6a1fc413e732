"""The recorded small processes of the loop (calcfunctions): split, merge, test blind, record, decide.

Keyword inputs that come in any number are told apart by their prefix: `configuration_003` is the fourth
configuration of a batch, `label_003` what came back for it.
"""

from hashlib import sha256
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import Data, Dict, Int

from soso_core.active.policy import BatchRecord, PolicySettings, decide
from soso_core.dataset import Dataset
from soso_core.gp.evaluation import evaluate
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel
from soso_workflows.parity import parity_arrays

CONFIGURATION, LABEL = "configuration_", "label_"
LARGEST_SEED = 2**31
LARGEST_DISAGREEMENT = 0.1
"""Of energies and fields; a penalty that leaves spins off by some tenths of a degree is worth a few per cent."""


@calcfunction
def split_batch(candidates: SosoDataset) -> dict[str, SosoDataset]:
    """Return every configuration of a batch as a node of its own, `configuration_000` and so on."""
    return {
        f"{CONFIGURATION}{index:03d}": SosoDataset.from_dataset([item])
        for index, item in enumerate(candidates.get_dataset())
    }


@calcfunction
def merge_labels(**nodes: SosoDataset) -> SosoDataset:
    """Return `dataset` (optional) followed by every `label_*`, in order."""
    return SosoDataset.from_dataset(_concatenated(nodes))


@calcfunction
def test_blind(model: SosoModel, **labels: SosoDataset) -> dict[str, Data]:
    """Return how `model`, which was not trained on `labels`, predicts them.

    `evaluation`: Dict with the keys of `soso evaluate`.  `predictions`: the arrays of `parity_arrays`, for figures.
    """
    fitted, dataset = model.get_model(), _concatenated(labels)
    evaluation = evaluate(fitted, dataset).model_dump(mode="json")
    return {"evaluation": Dict(evaluation), "predictions": parity_arrays(fitted, dataset)}


test_blind.__test__ = False  # a calcfunction, not a test of pytest


@calcfunction
def record_batch(**nodes: Data) -> Dict:
    """Return the history with one more batch.

    Inputs: `history`, `evaluation` and `model` (each optional; the model is the one fitted with this batch), the
    `configuration_*` that were asked for and the `label_*` that came; what was asked for and did not come has failed.
    """
    history = nodes["history"].get_dict() if "history" in nodes else {"batches": []}
    asked = sorted(key.removeprefix(CONFIGURATION) for key in nodes if key.startswith(CONFIGURATION))
    came = {key.removeprefix(LABEL): nodes[key] for key in sorted(nodes) if key.startswith(LABEL)}
    failed = [int(index) for index in asked if index not in came]
    last = history["batches"][-1] if history["batches"] else {"n_labels": 0, "n_failed": 0}
    record = BatchRecord(
        batch=len(history["batches"]),
        n_labels=last["n_labels"] + sum(label.n_configurations for label in came.values()),
        n_failed=last["n_failed"] + len(failed),
        **_blind_errors(nodes["evaluation"].get_dict() if "evaluation" in nodes else None),
    )
    facts = {"failed": failed, **_field_check(nodes.get("model"))}
    return Dict({"batches": [*history["batches"], {**record.model_dump(mode="json"), **facts}]})


@calcfunction
def decide_next(history: Dict, policy: Dict, seed: Int) -> dict[str, Data]:
    """Return what `soso_core.active.policy.decide` says after the last batch of `history`.

    `decision`: Dict (action, reason, n_next, pooled blind errors); `history`: the same with the decision written
    to its last batch; `n_select`, `explore_seed`, `fit_seed`: Int, for the next batch.
    """
    batches = history.get_dict()["batches"]
    records = [BatchRecord(**{key: item[key] for key in BatchRecord.model_fields}) for item in batches]
    decision = decide(records, PolicySettings(**policy.get_dict())).model_dump(mode="json")
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


def _concatenated(nodes: dict[str, SosoDataset]) -> Dataset:
    ordered = sorted(nodes, key=lambda key: (key != "dataset", key))
    return Dataset(tuple(item for key in ordered for item in nodes[key].get_dataset()))


def _field_check(model: SosoModel | None) -> dict[str, Any]:
    """Return the factor between energies and fields of the labels that the fit has learnt; warn when it is off."""
    if model is None:
        return {}
    scale = float(model.get_model().scales.field_scale)
    if abs(scale - 1.0) <= LARGEST_DISAGREEMENT:
        return {"field_scale": scale, "warnings": []}
    warning = f"energies and fields of the labels disagree: -∂E/∂e is {scale:.2f} times the labels' fields"
    return {"field_scale": scale, "warnings": [warning]}


def _blind_errors(evaluation: dict[str, Any] | None) -> dict[str, Any]:
    if evaluation is None:
        return {}
    pair_only = evaluation["pair_only"] or {}
    return {
        "n_blind": evaluation["n_configurations"],
        "energy_rmse_meV_per_spin": evaluation["energy_rmse_meV_per_spin"],
        "field_rmse_meV": evaluation["field_rmse_meV"],
        "energy_std_meV_per_spin": evaluation["energy_std_meV_per_spin"],
        "pair_only_energy_rmse_meV_per_spin": pair_only.get("energy_rmse_meV_per_spin"),
        "pair_only_field_rmse_meV": pair_only.get("field_rmse_meV"),
    }
