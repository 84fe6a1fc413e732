"""The wheel: what is in it, and that both commands run from it in a fresh environment."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*words, **extra):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **extra)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_package_is_listed():
    tomllib = pytest.importorskip("tomllib", reason="in the standard library from Python 3.11")
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = set()
    for top, name in (
        ("soso_core", "soso_core"),
        ("soso_workflows", "soso_workflows"),
        ("workchains", "soso_workchains"),
    ):
        for init in (ROOT / top).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / top).parts
            found.add(".".join((name, *inner)))
    assert listed == found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source") / "clone"
    run("git", "clone", "--quiet", ROOT, source)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, source)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_no_top_level_module_that_could_collide(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "soso_core",
        "soso_workflows",
        "soso_workchains",
    }


@pytest.mark.slow
def test_both_commands_run_elsewhere(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    bin_folder = tmp_path / "env" / "bin"
    run(bin_folder / "pip", "install", "--quiet", wheel)
    environment = {**os.environ, "AIIDA_PATH": str(tmp_path)}
    assert "evaluate" in run(bin_folder / "soso", "--help", cwd=tmp_path, env=environment)
    assert "launch" in run(bin_folder / "verdi", "data", "soso", "--help", cwd=tmp_path, env=environment)
    assert "launch" in run(bin_folder / "aiida-soso", "--help", cwd=tmp_path, env=environment)
    campaign = run(
        bin_folder / "python",
        "-c",
        "import soso_workchains, pathlib; "
        "print(pathlib.Path(soso_workchains.__file__).parent / 'campaigns' / 'bcc_fe_demo.yaml')",
        cwd=tmp_path,
    )
    assert Path(campaign.strip()).is_file()
