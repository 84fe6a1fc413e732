"""EMBSET files: round trip, the layout of Magesty.jl, faults by line."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spin_cells import heisenberg_label, iron_germanium, random_spins

from soso_core import InputError, LabelledConfiguration
from soso_core.formats import read_embset, write_embset

ROUNDING = 1e-14
"""A length times a unit vector, and divided again: two roundings."""
ON_DISK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LATTICE = iron_germanium(0)
LINES = """# 1, first, all in eV and Bohr magnetons
-10.25000
      1     1.3000000    0.0000000    0.0000000    -2.50000e-03    1.50000e-03    3.50000e-03
      2     0.0000000    1.7000000    0.0000000     4.50000e-03    5.50000e-03    6.50000e-03
      3     0.0000000    0.0000000   -2.1000000     7.50000e-03    8.50000e-03    9.50000e-03
      4     0.0000000    0.0000000    0.0000000     0.00000e+00    0.00000e+00    0.00000e+00

# 2, second
-11.5
 1 1 0 0 0 0 0
 2 1 0 0 0 0 0
 3 1 0 0 0 0 0
 4 0 0 0 0 0 0
""".splitlines(keepends=True)


def labelled(seed):
    rng = np.random.default_rng(seed)
    spins_ac = random_spins(4, rng)
    spins_ac[3] = 0.0
    item = heisenberg_label(LATTICE.with_spins(spins_ac))
    lengths_a = np.append(rng.uniform(0.5, 3.0, 3), 0.0)
    return LabelledConfiguration(
        item.configuration, item.energy, exchange_fields_ac=item.exchange_fields_ac, moment_magnitudes_a=lengths_a
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "EMBSET"
    path.write_text("".join(LINES))
    return path


def test_the_layout_of_magesty(file):
    first, second = read_embset(file, LATTICE)
    assert (first.energy, second.energy) == (-10.25, -11.5)
    np.testing.assert_allclose(first.moment_magnitudes_a, [1.3, 1.7, 2.1, 0.0], rtol=ROUNDING)
    np.testing.assert_array_equal(first.configuration.spins_ac, [[1, 0, 0], [0, 1, 0], [0, 0, -1], [0, 0, 0]])
    np.testing.assert_allclose(first.exchange_fields_ac[0], [-2.5e-3, 1.5e-3, 3.5e-3], rtol=ROUNDING)
    np.testing.assert_allclose(first.effective_fields_ac[0], [0.0, 1.95e-3, 4.55e-3], rtol=ROUNDING)
    np.testing.assert_array_equal(first.configuration.positions_ac, LATTICE.positions_ac)


@given(seeds=st.lists(st.integers(0, 1000), min_size=1, max_size=4))
@ON_DISK
def test_round_trip(tmp_path, seeds):
    items = [labelled(seed) for seed in seeds]
    write_embset(tmp_path / "EMBSET", items)
    for one, other in zip(items, read_embset(tmp_path / "EMBSET", LATTICE), strict=True):
        assert one.energy == other.energy
        np.testing.assert_array_equal(one.exchange_fields_ac, other.exchange_fields_ac)
        np.testing.assert_allclose(one.moment_magnitudes_a, other.moment_magnitudes_a, rtol=ROUNDING)
        np.testing.assert_allclose(one.configuration.spins_ac, other.configuration.spins_ac, atol=ROUNDING)


@given(line=st.integers(0, len(LINES) - 1))
@ON_DISK
def test_a_lost_line_is_noticed(file, line):
    lost = LINES[line]
    file.write_text("".join(LINES[:line] + LINES[line + 1 :]))
    if lost.startswith("#") or not lost.strip():
        assert len(read_embset(file, LATTICE)) == 2
    else:
        with pytest.raises(InputError, match="EMBSET"):
            read_embset(file, LATTICE)


@given(text=st.text(max_size=200))
@ON_DISK
def test_garbage_is_one_line(file, text):
    file.write_text("".join(LINES) + "@ " + text, encoding="utf8", newline="\n")
    with pytest.raises(InputError) as caught:
        read_embset(file, LATTICE)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("-10.25000", "nan", "line 2 .configuration 0.: energy is nan"),
        ("-10.25000", "low", "line 2 .configuration 0.: 'low' is not a number"),
        ("1.7000000", "inf", "moment of atom 1 is"),
        ("5.50000e-03", "5.0x", "line 4: '5.0x' is not a number"),
        ("      3 ", "      2 ", "line 5: atom '2', expected 3"),
        ("9.50000e-03\n", "9.5e-03 1\n", "line 5: 8 words, expected 7"),
        ("# 1, first, all in eV and Bohr magnetons\n-10.25000\n", "# 1\n", "expected an energy, found 7 words"),
    ],
)
def test_faults_are_named_by_line(file, old, new, said):
    text = "".join(LINES)
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=said):
        read_embset(file, LATTICE)


def test_empty_missing_and_binary_files(tmp_path):
    for content, said in ((b"", "is empty"), (b"# 1\n\n", "is empty"), (b"\xff\xfe", "not a text file")):
        (tmp_path / "EMBSET").write_bytes(content)
        with pytest.raises(InputError, match=said):
            read_embset(tmp_path / "EMBSET", LATTICE)
    with pytest.raises(InputError, match="No such file"):
        read_embset(tmp_path / "nothing", LATTICE)


def test_only_whole_labels_on_one_lattice_can_be_written(tmp_path):
    elsewhere = labelled(0).configuration.with_positions(LATTICE.positions_ac + 1e-3)
    moved = LabelledConfiguration(
        elsewhere,
        0.0,
        exchange_fields_ac=labelled(0).exchange_fields_ac,
        moment_magnitudes_a=labelled(0).moment_magnitudes_a,
    )
    bare = LabelledConfiguration(LATTICE, energy=1.0)
    for item, said in (
        (moved, "configuration 1: cell or positions differ by 0.001 Å"),
        (bare, "needs energy, moments"),
    ):
        with pytest.raises(InputError, match=said):
            write_embset(tmp_path / "EMBSET", [labelled(0), item])
    assert list(tmp_path.iterdir()) == []
