"""The report: one self-contained HTML file about one campaign."""

import base64
import platform
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from aiida.orm import Data, Dict, Float, Int, Str
from ase import Atoms

from soso_core.errors import InputError
from soso_core.formats import write_file
from soso_workflows.campaign.state import CampaignState
from soso_workflows.functions.label_warnings import field_warning, limit_of
from soso_workflows.views.plots import exchange_curve, learning_curve, parity
from soso_workflows.views.table import COLUMNS, LEGEND, lineage_lines, row_of, state_line

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }
td:last-child, th:last-child { text-align: left; }
img { max-width: 100%; } pre { background: #f6f6f6; padding: .7rem; overflow-x: auto; } .note { color: #666; }
"""
PACKAGES = ("aiida-soso", "aiida-core", "numpy", "scipy", "numba", "ase")

SHORTEN = 0.95
"""Start of J(r) in units of the nearest-neighbour distance; there are no data at shorter distances."""


def write_report(state: CampaignState, path: Path) -> None:
    """Write the report atomically.  Raises InputError when the campaign has no finished batch."""
    if not state.batches:
        raise InputError(f"campaign {state.node.pk} has no finished batch; there is nothing to report")
    write_file(path, report_html(state))


def report_html(state: CampaignState) -> str:
    """Return the report as HTML, figures embedded."""
    title = escape(f"{state.node.label or 'campaign'} <{state.node.pk}>")
    sections = [
        f"<h1>{title}</h1><p>{escape(state_line(state))}</p>{_lineage(state)}{_warning(state)}",
        _table("History", [name for name, _ in COLUMNS], [row_of(batch) for batch in state.batches], LEGEND),
        *_figures(state),
        _failures(state),
        _below_grade(state),
        _section("Settings", f"<pre>{escape(yaml.safe_dump(_settings(state), sort_keys=False))}</pre>"),
        _table("Provenance", ["node", "PK", "UUID"], _nodes(state), "drawn by `verdi node graph generate PK`"),
        _table("Versions", ["package", "version"], _versions(), ""),
    ]
    head = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title><style>{STYLE}</style>"
    return f"{head}<body>{''.join(sections)}</body></html>\n"


def _figures(state: CampaignState) -> list[str]:
    policy = state.inputs["policy"].get_dict()
    figures = [_image("Learning curve", learning_curve(state.batches, policy))]
    predictions = {batch: arrays for item in state.lineage for batch, arrays in item.predictions.items()}
    if predictions:
        figures.append(_image("Blind predictions against labels", parity(predictions)))
    if state.model is not None:
        note = "Exchange of the pair part, with a band of two standard deviations."
        nearest = shortest_distance(state.inputs["structure"].get_ase())
        figures.append(_image("J(r)", exchange_curve(state.model.get_model(), SHORTEN * nearest), note))
    return figures


def shortest_distance(structure: Atoms) -> float:
    """Return the nearest-neighbour distance of a cell, Å."""
    distances = structure.repeat(2).get_all_distances(mic=True)
    return float(distances[distances > 0.0].min())


def _failures(state: CampaignState) -> str:
    rows = [
        [str(item.batch), item.index, str(item.pk), item.reason]
        for campaign in state.lineage
        for item in campaign.failures
    ]
    if not rows:
        return _section("Failed labels", "<p>None.</p>")
    return _table("Failed labels", ["batch", "index", "PK", "reason"], rows, "")


def _below_grade(state: CampaignState) -> str:
    title, note = "Labels below the minimum grade", "Kept in the database, excluded from training and blind tests."
    rows = [
        [str(batch.batch), item.label, item.grade, limit_of(item)]
        for batch in state.batches
        for item in batch.below_grade
    ]
    if not rows:
        return _section(title, "<p>None.</p>")
    return _table(title, ["batch", "label", "grade", "limited by"], rows, note)


def _lineage(state: CampaignState) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lineage_lines(state))


def _warning(state: CampaignState) -> str:
    line = field_warning(state.batches[-1])
    return "" if line is None else f"<p><strong>{escape(line)}</strong></p>"


def _settings(state: CampaignState) -> dict[str, Any]:
    left_out = ("resume", "dataset", "model", "code")
    inputs = {name: value for name, value in state.inputs.items() if name not in left_out}
    return {name: _plain(value) for name, value in sorted(inputs.items())}


def _plain(value: Data | dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Dict):
        return value.get_dict()
    if isinstance(value, (Int, Float, Str)):
        return value.value
    return str(value)


def _nodes(state: CampaignState) -> list[list[str]]:
    nodes = {"campaign": state.node, "model": state.model, "dataset": state.dataset, "history": state.history}
    for earlier in state.lineage[:-1]:
        nodes[f"continues campaign {earlier.node.pk}"] = earlier.node
    return [[name, str(node.pk), str(node.uuid)] for name, node in nodes.items() if node is not None]


def _versions() -> list[list[str]]:
    return [["python", platform.python_version()], *([name, version(name)] for name in PACKAGES)]


def _image(title: str, svg: str, note: str = "") -> str:
    data = base64.b64encode(svg.encode("utf8")).decode("ascii")
    caption = f"<p class='note'>{escape(note)}</p>" if note else ""
    return _section(title, f"<img alt='{escape(title)}' src='data:image/svg+xml;base64,{data}'>{caption}")


def _table(title: str, columns: list[str], rows: list[list[str]], note: str) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return _section(title, f"<table><tr>{head}</tr>{body}</table><p class='note'>{escape(note)}</p>")


def _section(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>{body}"
