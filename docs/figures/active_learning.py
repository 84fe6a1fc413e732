"""Draw the loop of a campaign and the rules that end it: docs/figures/active_learning.svg.

The steps are those of the outline of `ActiveLearningWorkChain`, the rules those of `stopping.policy.RULES`.  Run
`python docs/figures/active_learning.py` after a change of either; a test compares the file with the code.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from soso_core.active.stopping.policy import RULES
from soso_workchains.active_learning.chain import ActiveLearningWorkChain

FILE = Path(__file__).with_suffix(".svg")
LOOP = "while(should_continue)"
STEPS = {
    "explore": ("generate candidates", "choose a batch by uncertainty and at random"),
    "submit_labels": ("label", "one calculation for each configuration"),
    "test_and_merge": ("blind test", "the model predicts the new labels"),
    "fit": ("fit", "hyperparameters, weights, calibration"),
    "decide": ("decide", "the first rule that holds ends the campaign"),
    "run_alternatives": ("compare models", "only where a model-form error is suspected"),
}
"""Title and explanation of the steps that the figure shows."""
HIDDEN = {"split"}
"""A step that only makes nodes; so do those named `inspect_`."""
WIDTH, LEFT, BOX, RULE, HEIGHT, GAP = 760, 20, 330, 350, 46, 18


def loop_steps() -> list[str]:
    """Return the names of the steps of one round of the loop, in order.  Raises KeyError for an unknown one."""
    outline: list[Any] = ActiveLearningWorkChain.spec().get_outline().get_description()
    (body,) = (item[LOOP] for item in outline if isinstance(item, dict) and LOOP in item)
    names = [name for name in _names(body) if name not in HIDDEN and not name.startswith("inspect_")]
    for name in names:
        STEPS[name]
    return names


def _names(items: Any) -> Iterator[str]:
    """Yield the names of the methods in a part of an outline."""
    for item in items:
        if isinstance(item, str):
            yield item.partition("(")[0]
        else:
            for inner in item.values():
                yield from _names(inner)


def drawing() -> str:
    """Return the figure as SVG."""
    steps = loop_steps()
    tops = [50 + k * (HEIGHT + GAP) for k in range(len(steps))]
    bottom = tops[-1] + HEIGHT
    parts = [_text(LEFT, 28, "One round of a campaign", "700"), _text(WIDTH - RULE, 28, "It ends when", "700")]
    for name, top in zip(steps, tops, strict=True):
        parts += [_box(LEFT, top, BOX, HEIGHT, "#e8eef7"), _text(LEFT + 12, top + 19, STEPS[name][0], "700")]
        parts.append(_text(LEFT + 12, top + 37, STEPS[name][1]))
    middle = LEFT + BOX / 2
    parts += [_arrow(f"M{middle} {top + HEIGHT} V{top + HEIGHT + GAP - 5}") for top in tops[:-1]]
    back = LEFT + BOX + 14
    parts.append(_arrow(f"M{LEFT + BOX} {bottom - 12} H{back} V{tops[0] + 23} H{LEFT + BOX + 5}"))
    x = WIDTH - RULE
    for k, rule in enumerate(RULES):
        top = tops[0] + k * (HEIGHT + GAP)
        parts += [_box(x, top, RULE - 20, HEIGHT, "#fbefe3"), _text(x + 12, top + 37, rule.condition)]
        parts.append(_text(x + 12, top + 19, f"{k + 1}  {rule.action.value}", "700"))
    top = tops[0] + len(RULES) * (HEIGHT + GAP)
    parts.append(_text(x + 12, top + 19, "otherwise it continues with the next batch"))
    head = '<marker id="h" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    head += '<path d="M0 0 L8 4 L0 8 z" fill="#445"/></marker>'
    size = f'width="{WIDTH}" height="{bottom + 20}" viewBox="0 0 {WIDTH} {bottom + 20}"'
    ground = f'<rect width="{WIDTH}" height="{bottom + 20}" fill="#ffffff"/>'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">'
    return "\n".join([opening, f"<defs>{head}</defs>", ground, *parts, "</svg>", ""])


def _box(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="#889"/>'


def _text(x: float, y: float, words: str, weight: str = "400") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}" fill="#223">{escape(words)}</text>'


def _arrow(path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="#445" stroke-width="1.5" marker-end="url(#h)"/>'


if __name__ == "__main__":
    FILE.write_text(drawing(), encoding="utf8")
