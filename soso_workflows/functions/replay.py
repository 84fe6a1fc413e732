"""The calcfunction of the replay engine: look up a label."""

from dataclasses import replace

from aiida.engine import ExitCode, calcfunction
from aiida.orm import Data, Dict

from soso_core.engines.replay import ReplayOracle
from soso_core.errors import InputError
from soso_core.quality import GRADE_KEY, without_quality
from soso_workflows.data.dataset import SosoDataset, describe_quality

NOT_IN_POOL_STATUS = 480
"""Exit status of a configuration that has no label in the pool."""


@calcfunction
def replay_label(configuration: SosoDataset, pool: SosoDataset) -> dict[str, Data] | ExitCode:
    """Return `label`, with all that the pool has for this configuration, and its `quality`.

    Ends with exit status 480 for a configuration that is not in the pool.
    """
    asked = configuration.get_dataset()[0]
    try:
        found = ReplayOracle(pool.get_dataset()).label(asked.configuration)
    except InputError as error:
        return ExitCode(NOT_IN_POOL_STATUS, f"{pool.filename}: {error}")
    facts = {**without_quality(asked.info), **found.info, GRADE_KEY: found.grade}
    label = SosoDataset.from_dataset([replace(found, info=facts)])
    return {"label": label, "quality": Dict(describe_quality(found))}
