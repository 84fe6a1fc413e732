"""Names of the call links of a campaign, by which the processes of each batch are found."""

import re

PREPARATION_LINK = "prepare_engine"
"""The call link of the process that an engine needs before its first label."""


def stage_link(stage: str, batch: int) -> str:
    """Return the call link of a process that a batch runs once, e.g. `fit_002`."""
    return f"{stage}_{batch:03d}"


def label_link(batch: int, index: str) -> str:
    """Return the call link of one label calculation, e.g. `label_002_004`; `index` is its three digits."""
    return f"label_{batch:03d}_{index}"


def parse_link(link: str) -> tuple[str, int, str] | None:
    """Return (stage, batch, index) of a call link, None for any other link; only labels have an index."""
    match = re.fullmatch(r"([a-z]+)_(\d{3,})(?:_(\d{3,}))?", link)
    return (match[1], int(match[2]), match[3] or "") if match else None
