"""A stand-in for the `soso` command in tests of the workflow: standard library only, thirty milliseconds a call.

Cells have two atoms.  Labels are those of one Heisenberg pair; "fitting" copies the file STAND_IN_MODEL.
STAND_IN_HOME contains a log with one line for each label; STAND_IN_FAULTS (a JSON object) selects failures:
`label` maps the number of a label call to not-converged, bad-input, crash, truncated, missing, or to the grade that
its label gets, grade-D for one; `fit`, `explore` and `alternatives` are such a word each; `half_energy` is the error
left out with half of the labels, which is 1 with all.
"""

import fcntl
import json
import os
import random
import re
import sys
from pathlib import Path

LINES_PER_FRAME = 4
COUPLING = 0.05
FAULT_STATUS = {"not-converged": 3, "bad-input": 2, "crash": 1}
HEADER = (
    'Lattice="2.85 0 0 0 2.85 0 0 0 2.85" pbc="T T T" energy={energy} stress="0 0 0 0 0 0 0 0 0" residual=1e-06 '
    "Properties=species:S:1:pos:R:3:spins:R:3:moments:R:1:exchange_fields:R:3:forces:R:3"
)


def main(words):
    """Run one command: write its output file, or fail."""
    faults = json.loads(os.environ.get("STAND_IN_FAULTS", "{}"))
    output = Path(words[words.index("-o") + 1])
    if words[0] == "label":
        fault = faults.get("label", {}).get(str(next_number()), "")
        finish(output, make_label(Path(words[2]), fault.partition("grade-")[2]), fault)
    elif words[0] == "compare-models":
        best = {"name": "longer hair", "energy_rmse_meV_per_spin": 0.5, "present_rmse_meV_per_spin": 1.0}
        half = faults.get("half_energy", 1.0)
        learning = {"energy_rmse_meV_per_spin": 1.0, "half_energy_rmse_meV_per_spin": half}
        content = json.dumps({"learning_curve": learning, "alternatives": [best]}).encode()
        finish(output, content, faults.get("alternatives"))
    elif words[0] == "fit":
        finish(output, Path(os.environ["STAND_IN_MODEL"]).read_bytes(), faults.get("fit"))
    else:
        settings = Path(words[-3]).read_text()
        finish(
            output,
            draw_frames(read_integer(settings, "n_select"), read_integer(settings, "seed")),
            faults.get("explore"),
        )


def finish(output, content, fault):
    """Write the output, or fail in the requested way."""
    if fault in FAULT_STATUS:
        print(f"Error: stand-in: {fault}", file=sys.stderr)
        sys.exit(FAULT_STATUS[fault])
    if fault != "missing":
        output.write_bytes(content[: len(content) // 2] if fault == "truncated" else content)


def next_number():
    """Return the number of labels requested before this one."""
    with open(Path(os.environ["STAND_IN_HOME"]) / "labels.log", "a+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        number = len(log.readlines())
        log.write(f"{number}\n")
    return number


def make_label(path, grade):
    """Return the first frame with its labels, and with a grade if one is given."""
    atoms = [line.split() for line in path.read_text().splitlines()[2:LINES_PER_FRAME]]
    spins = [[float(x) for x in atom[4:7]] for atom in atoms]
    energy = -COUPLING * sum(a * b for a, b in zip(*spins, strict=True))
    rows = [
        " ".join([*atom[:7], "2.0", *(f"{COUPLING * x / 2.0:.12g}" for x in spins[1 - i]), "0 0 0"])
        for i, atom in enumerate(atoms)
    ]
    quality = f"label_grade={grade} angle_degree=12.5 " if grade else ""
    return "\n".join(["2", quality + HEADER.format(energy=energy), *rows, ""]).encode()


def draw_frames(count, seed):
    """Return `count` frames with random spins."""
    source = random.Random(seed)
    frames = []
    for _ in range(count):
        rows = []
        for position in ("0 0 0", "1.425 1.425 1.425"):
            vector = [source.gauss(0, 1) for _ in range(3)]
            length = sum(x * x for x in vector) ** 0.5
            rows.append(f"Fe {position} " + " ".join(f"{x / length:.15g}" for x in vector))
        head = 'Lattice="2.85 0 0 0 2.85 0 0 0 2.85" pbc="T T T" Properties=species:S:1:pos:R:3:spins:R:3'
        frames.append("\n".join(["2", head, *rows, ""]))
    return "".join(frames).encode()


def read_integer(settings, key):
    """Return an integer of the settings file."""
    return int(re.search(rf"^{key}: (\d+)$", settings, re.MULTILINE)[1])


main(sys.argv[1:])
