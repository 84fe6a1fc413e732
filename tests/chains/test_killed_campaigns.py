"""A campaign that is killed, by AiiDA or by SIGKILL, ends with the same model, and no finished label is made again."""

import re
import signal
from collections.abc import Iterator

import pytest
from killed_campaigns import Place, kill_hard, wait_for

pytestmark = [pytest.mark.aiida, pytest.mark.slow]

N_LABELS = 5


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    """Return a profile with a daemon of one worker."""
    found = Place(tmp_path_factory.mktemp("killed"))
    yield found
    found.verdi("daemon", "stop")


@pytest.fixture(scope="module")
def undisturbed(place) -> dict:
    """Return the facts of a campaign that was never killed."""
    return facts_of(place, place.verdi(*place.launch_words("undisturbed")))


def facts_of(place, said) -> dict:
    """Return the facts of the campaign that a command has told of."""
    return place.facts(pk_of(said))


def pk_of(said: str) -> int:
    return int(re.search(r"campaign .*?<(\d+)>", said)[1])


def is_the_same(found, undisturbed):
    """All that a kill may not change: the labels, none of them made twice, and the model, byte by byte."""
    assert found["ok"], found["said"]
    assert found["n"] == len(found["made"]) == len(set(found["made"])) == N_LABELS
    assert set(found["made"]) == set(undisturbed["made"])
    assert found["model"] == undisturbed["model"]


def test_never_killed(undisturbed):
    assert undisturbed["ok"]
    assert len(undisturbed["made"]) == N_LABELS


def test_its_process_was_killed(place, undisturbed):
    """SIGKILL for the command that ran it, in the middle of a batch; its label jobs die with nobody's knowledge."""
    before = place.n_asked()
    command = place.start(*place.launch_words("process"))
    wait_for(lambda: place.n_asked() >= before + 2)
    kill_hard(command.pid)
    said, _ = command.communicate()
    assert command.returncode == -signal.SIGKILL
    status = place.verdi("data", "soso", "status", pk_of(said))
    assert "the process that ran this campaign has ended" in status
    found = facts_of(place, place.verdi("data", "soso", "resume", pk_of(said)))
    assert found["campaigns"] == 2
    is_the_same(found, undisturbed)


def test_the_worker_of_the_daemon_was_killed(place, undisturbed):
    """The daemon starts another worker, which goes on by itself."""
    place.verdi("daemon", "start", "1")
    before = place.n_asked()
    pk = pk_of(place.verdi(*place.launch_words("worker"), "--submit"))
    wait_for(lambda: place.n_asked() >= before + 2)
    (worker,) = place.workers()
    kill_hard(worker.pid)
    wait_for(lambda: place.is_terminated(pk))
    (again,) = place.workers()
    assert again.pid != worker.pid
    found = place.facts(pk)
    assert found["campaigns"] == 1
    is_the_same(found, undisturbed)


def test_verdi_process_kill(place, undisturbed):
    place.verdi("daemon", "start", "1")
    before = place.n_asked()
    pk = pk_of(place.verdi(*place.launch_words("killed"), "--submit"))
    wait_for(lambda: place.n_asked() >= before + 2)
    place.verdi("process", "kill", "--timeout", "60", pk)
    wait_for(lambda: place.is_terminated(pk))
    found = facts_of(place, place.verdi("data", "soso", "resume", pk))
    assert found["campaigns"] == 2
    is_the_same(found, undisturbed)
