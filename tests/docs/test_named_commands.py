"""Every command, option and make target in the pages is there."""

import re
import shlex

import pytest
from click import Command, Context, Group
from pages import ROOT, blocks, pages

from soso_core.app.cli import main as soso
from soso_workflows.commands.cli import main as aiida_soso
from soso_workflows.commands.cli import soso as verdi_data_soso

PROGRAMS = {"soso ": soso, "aiida-soso ": aiida_soso, "verdi data soso ": verdi_data_soso}
LINES = [
    (str(page.relative_to(ROOT)), line.strip())
    for page in pages()
    for block in blocks(page)
    if block.language == "bash"
    for line in block.text.splitlines()
    if line.startswith(tuple(PROGRAMS))
]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf8"), re.MULTILINE)


@pytest.mark.parametrize(("page", "line"), LINES)
def test_command_and_options_exist(page, line):
    program = next(name for name in PROGRAMS if line.startswith(name))
    name, *words = shlex.split(line.removeprefix(program), comments=True)
    command = command_of(PROGRAMS[program], name)
    if isinstance(command, Group):
        name, *words = words
        command = command_of(command, name)
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options | {"--help"}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page):
    named = re.findall(r"(?:`|^)make ([a-z-]+(?: [a-z-]+)*)", page.read_text(encoding="utf8"), re.MULTILINE)
    assert {target for words in named for target in words.split()} <= set(TARGETS)


def command_of(group: Group, name: str) -> Command:
    """Return a subcommand."""
    command = group.get_command(Context(group), name)
    assert command is not None, name
    return command
