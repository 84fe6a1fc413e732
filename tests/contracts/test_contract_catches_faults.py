"""The checks of the contract can fail: each finds the fault that it is for, in an engine of one line."""

from types import SimpleNamespace

import label_contract as contract
import numpy as np
import pytest

from soso_core.labels import LabelledConfiguration, transverse

COUPLING, MOMENT = 0.05, 2.0


class ImaginedRuns(contract.Runs):
    """Labels of E = -J e·e + A (e_z)², A zero in a true one, with a fault in what is reported."""

    def __init__(self, fault=""):
        self.engine = SimpleNamespace(FIELD_TOLERANCE=0.01, REQUIRED_LABELS=("energy", "exchange_fields_ac"))
        self.cell, self.fault, self.known = contract.iron_pair(), fault, {}

    def of(self, name, cell):
        if name == "impossible":
            node = SimpleNamespace(
                is_failed=self.fault != "never fails", exit_status=400, exit_message="no", process_state=""
            )
            return {}, node
        node = SimpleNamespace(is_finished_ok=True)
        item = self.labelled(cell)
        grade = "B" if self.fault == "two grades" else item.grade
        quality = {"converged": True, "label_grade": grade}
        return {"quality": quality, "label": SimpleNamespace(get_dataset=lambda: [item])}, node

    def labelled(self, cell):
        e_ac = np.array(cell.spins_ac)
        if self.fault == "another state":
            e_ac = e_ac @ contract.rotation([1.0, 2.0, 3.0], 0.5).T
        anisotropy = 0.01 if self.fault == "anisotropy" else 0.0
        energy = -COUPLING * e_ac[0] @ e_ac[1] + anisotropy * np.sum(e_ac[:, 2] ** 2)
        gradient_ac = COUPLING * e_ac[::-1] - 2.0 * anisotropy * e_ac * [0.0, 0.0, 1.0]
        gradient_ac = transverse(gradient_ac, e_ac) * {"half field": 0.5, "wrong sign": -1.0}.get(self.fault, 1.0)
        moment_magnitudes_a = np.full(2, MOMENT) + ([0.0, 0.1] if self.fault == "atoms have numbers" else [0.0, 0.0])
        return LabelledConfiguration(
            cell.with_spins(e_ac),
            energy,
            gradient_ac / moment_magnitudes_a[:, None],
            moment_magnitudes_a,
            np.zeros((2, 3)),
            info={"label_grade": "A"},
        )


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_a_true_engine_passes(check):
    check(ImaginedRuns())


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("half field", contract.the_field_is_minus_the_derivative_of_the_energy),
        ("wrong sign", contract.the_field_is_minus_the_derivative_of_the_energy),
        ("anisotropy", contract.rotating_all_spins_changes_nothing),
        ("atoms have numbers", contract.permuting_like_atoms_permutes_the_results),
        ("another state", contract.the_label_is_complete_and_graded),
        ("two grades", contract.the_label_is_complete_and_graded),
        ("never fails", contract.an_impossible_request_ends_with_an_exit_code),
    ],
)
def test_a_fault_is_caught(fault, check):
    with pytest.raises(AssertionError):
        check(ImaginedRuns(fault))


def test_energies_that_do_not_move_prove_nothing():
    runs = ImaginedRuns()
    flat = runs.base
    runs.labelled = lambda cell: flat
    with pytest.raises(AssertionError, match="nothing is tested here"):
        contract.the_field_is_minus_the_derivative_of_the_energy(runs)
