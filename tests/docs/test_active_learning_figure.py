"""The figure of the loop is the one that the code draws today."""

import importlib.util

from pages import ROOT


def test_the_figure_shows_the_outline_and_the_rules_of_the_code():
    file = ROOT / "docs" / "figures" / "active_learning.py"
    spec = importlib.util.spec_from_file_location("active_learning_figure", file)
    figure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figure)
    assert figure.FILE.read_text(encoding="utf8") == figure.drawing(), "run python docs/figures/active_learning.py"
