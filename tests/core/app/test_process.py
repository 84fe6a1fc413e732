"""The command as a process of its own: threads, noise, pipes."""

import os
import subprocess
import sys

import pytest

from soso_core.app.cli import COMMANDS

SOSO = (sys.executable, "-c", "from soso_core.app.cli import main; main()")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def environment(**extra):
    return {key: value for key, value in os.environ.items() if key not in THREADS} | extra


@pytest.mark.parametrize(("given", "expected"), [({}, {1}), ({"OPENBLAS_NUM_THREADS": "2"}, {2})])
def test_one_blas_thread_unless_told_otherwise(given, expected):
    """Every BLAS that is loaded runs on one thread inside, and on what the user chose when he did."""
    program = (
        "import numpy, scipy.linalg, threadpoolctl; from soso_core.threads import one_blas_thread\n"
        "with one_blas_thread():\n"
        "    print({lib['num_threads'] for lib in threadpoolctl.threadpool_info() if lib['user_api'] == 'blas'})"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment(**given), capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(expected), "")


def test_a_fault_is_one_line(desk):
    words = ("fit", "no such file.extxyz", "-o", "a b.soso")
    done = subprocess.run([*SOSO, *words], env=environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "soso: error: cannot read no such file.extxyz: No such file or directory\n"


def test_a_whole_round_says_nothing_on_stderr(desk):
    env = environment(PYTHONWARNINGS="always", OPENBLAS_NUM_THREADS="1")
    for words in (
        ("generate", "explore.yaml", "-o", "first.extxyz"),
        ("predict", "model.soso", "first.extxyz", "-o", "predicted.extxyz"),
    ):
        done = subprocess.run([*SOSO, *words], env=env, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_reader_of_a_pipe_may_leave(desk):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*SOSO, "--help"], env=environment(), stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_help_imports_no_slow_library():
    """`soso --help` imports no command; the help of a command needs neither plots, nor Numba, nor SciPy."""
    program = (
        "import sys\n"
        "from soso_core.app.cli import main\n"
        "for word in sys.argv[1:]:\n"
        "    try:\n"
        "        main([word, '--help'] if word else ['--help'])\n"
        "    except SystemExit as end:\n"
        "        assert end.code == 0, word\n"
        "    commands = [name for name in sys.modules if name.startswith('soso_core.app.') and 'command' in name]\n"
        "    slow = {'matplotlib', 'numba', 'scipy'} & set(sys.modules)\n"
        "    assert not slow and (word or not commands), (word, slow, commands)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, "", *COMMANDS], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_warning_of_a_library_is_one_line():
    program = (
        "import warnings, click\n"
        "from soso_core.app.cli import main\n"
        "@main.command()\n"
        "def warn():\n"
        "    warnings.warn('overflow\\nin exp', RuntimeWarning)\n"
        "    warnings.warn('old name', FutureWarning)\n"
        "main.get_command = lambda ctx, name: warn\n"
        "main(['warn'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "soso: warning: overflow in exp (<string>:5)\n")
