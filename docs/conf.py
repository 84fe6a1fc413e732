"""Sphinx configuration: MyST pages, Furo theme; warnings are errors in `make docs`."""

import sys
from pathlib import Path

from soso_core import __version__

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "aiida-soso"
author = "The aiida-soso developers"
copyright = "2026, The aiida-soso developers"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.mathjax",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "settings_tables",
    "plain_docstrings",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings: list[str] = []
exclude_patterns = ["_build", "extensions"]

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
napoleon_google_docstring = False

html_theme = "furo"
html_title = "SOSO"
