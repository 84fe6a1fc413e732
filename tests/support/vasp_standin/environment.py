"""What the environment sets: model, scale of the printed field, faults."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "SOSO_STANDIN_"
MODELS = ("classical", "tight_binding")


@dataclass(frozen=True)
class FaultRule:
    """One line of the fault plan: which fault, how probable per run, how many calls of that run it hits."""

    mode: str
    probability: float = 1.0
    calls: float = 1.0  # infinity: every call, the run cannot be saved
    lambda_: float | None = None  # only runs at this LAMBDA


@dataclass(frozen=True)
class Environment:
    """The settings of one call.

    `SOSO_STANDIN_MODEL` is `classical` (default) or `tight_binding`; `SOSO_STANDIN_FIELD_SCALE` is c in
    `-∂E/∂e = c |MW_int| (printed field)`, 2 by default; `SOSO_STANDIN_FAULTS` is a JSON list of objects with the keys
    `mode`, `probability`, `calls` (null: always) and `lambda`; `SOSO_STANDIN_STATE` is the folder that counts the calls
    of each run; `SOSO_STANDIN_SEED` makes other runs fail.
    """

    model: str = "classical"
    field_scale: float = 2.0
    faults: tuple[FaultRule, ...] = ()
    state: Path | None = None
    seed: int = 0


def read_environment(variables: Mapping[str, str] = os.environ) -> Environment:
    """Return the settings in the environment variables; raise ValueError for a value that makes no sense."""
    values = {name.removeprefix(PREFIX): text for name, text in variables.items() if name.startswith(PREFIX)}
    model = values.get("MODEL", "classical")
    if model not in MODELS:
        raise ValueError(f"{PREFIX}MODEL is '{model}', not one of {', '.join(MODELS)}")
    return Environment(
        model=model,
        field_scale=float(values.get("FIELD_SCALE", 2.0)),
        faults=tuple(fault_rule(**item) for item in json.loads(values.get("FAULTS", "[]"))),
        state=Path(values["STATE"]) if "STATE" in values else None,
        seed=int(values.get("SEED", 0)),
    )


def fault_rule(mode: str, probability: float = 1.0, calls: float | None = 1, **extra: Any) -> FaultRule:
    """Return the rule written in one object of the JSON list."""
    return FaultRule(mode, probability, float("inf") if calls is None else calls, extra.get("lambda"))
