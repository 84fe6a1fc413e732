"""VASP by its stand-in, which evaluates a classical magnet and prints half of each field."""

from label_contract import Bench, Harness
from vasp_fixtures import FAMILY


def code(bench: Bench):
    bench.fixture("potcar_family")
    return bench.fixture("vasp_standin")(bench.folder / "state", label="vasp-contract", field_scale=2.0)


HARNESS = Harness(
    code,
    settings={
        "protocol": "fast",
        "potential_family": FAMILY,
        "rwigs_angstrom": {"Fe": 1.3},
        "initial_moments_muB": {"Fe": 2.2},
        "field_scale": 2.0,
        "options": {"withmpi": False},
    },
    costly=True,
)
