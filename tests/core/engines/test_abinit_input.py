"""The input file of ABINIT, and the pseudopotentials it may name."""

import numpy as np
import pytest
from ase.units import Bohr, Hartree

from soso_core.configuration import Configuration
from soso_core.engines.abinit.input_file import Mixing, write_input
from soso_core.engines.abinit.pseudopotentials import find_pseudopotential, pseudopotentials_of
from soso_core.engines.abinit.settings import AbinitSettings
from soso_core.errors import InputError
from soso_core.settings import parse_settings

HEADER = "A title\n  {number:.4f}  {electrons:.4f}  170801  zatom,zion,pspd\n  {format}  {functional}  2 4 600 0\n"
MIXING = Mixing(0.02, 80)


def write_file(path, number, electrons, kind=8, functional=11):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER.format(number=number, electrons=electrons, format=kind, functional=functional))
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder with a file for iron and one for germanium."""
    write_file(tmp_path / "Fe.psp8", 26, 16)
    write_file(tmp_path / "deep" / "Ge.psp8", 32, 14, functional=-101130)
    return tmp_path


@pytest.fixture
def alloy():
    """Iron, germanium, iron without a spin, iron."""
    spins_ac = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.6, 0.0, -0.8]])
    cell_vc = np.array([[3.0, 0.1, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 9.0]])
    positions_ac = np.arange(12.0).reshape(4, 3)
    return Configuration(np.array([26, 32, 26, 26]), positions_ac, cell_vc, spins_ac)


def values_of(text, key):
    """Return the numbers after a key, those on the following indented lines too."""
    lines = iter(text.splitlines())
    words = next(line for line in lines if line.split()[0] == key).split()[1:]
    for line in lines:
        if not line.startswith(" "):
            break
        words += line.split()
    return [float(word) for word in words]


def written(configuration, folder, mixing=MIXING, **values):
    settings = AbinitSettings(pseudopotential_folder=folder, **values)
    return write_input(configuration, settings, pseudopotentials_of(configuration, settings), mixing)


def test_atoms_keep_their_order_and_types_tell_who_has_a_spin(alloy, folder):
    text = written(alloy, folder)
    assert values_of(text, "typat") == [1, 2, 3, 1]
    assert values_of(text, "znucl") == [26, 32, 26]
    assert values_of(text, "constraint_kind") == [2, 0, 0]
    assert 'pseudos "type1.psp8, type2.psp8, type3.psp8"' in text
    assert values_of(text, "so_psp") == [0, 0, 0]


def test_lengths_are_in_bohr_and_energies_in_hartree(alloy, folder):
    text = written(alloy, folder, ecut_ev=1000.0, smearing_ev=0.2, ecut_smearing_ev=10.0, moment_radius_angstrom=1.2)
    np.testing.assert_allclose(np.reshape(values_of(text, "xcart"), (4, 3)) * Bohr, alloy.positions_ac, rtol=1e-14)
    np.testing.assert_allclose(np.reshape(values_of(text, "rprim"), (3, 3)) * Bohr, alloy.cell_vc, rtol=1e-14)
    energies = {"ecut": 1000.0, "tsmear": 0.2, "ecutsm": 10.0}
    for key, value in energies.items():
        assert values_of(text, key)[0] * Hartree == pytest.approx(value, rel=1e-11)
    np.testing.assert_allclose(np.array(values_of(text, "ratsph")) * Bohr, 1.2, rtol=1e-11)


def test_moments_start_along_the_spins(alloy, folder):
    text = written(alloy, folder, initial_moment_muB=2.0, initial_moments_muB={"Fe": 3.0})
    np.testing.assert_allclose(np.reshape(values_of(text, "spinat"), (4, 3)), 3.0 * alloy.spins_ac, rtol=1e-14)


def test_a_band_for_each_electron_and_some_more(alloy, folder):
    assert values_of(written(alloy, folder), "nband") == [3 * 16 + 14 + 4 * 3]
    assert values_of(written(alloy, folder, empty_bands_per_atom=5), "nband") == [3 * 16 + 14 + 4 * 5]


def test_grid(alloy, folder):
    assert values_of(written(alloy, folder, fft_box_ratio=2.5), "boxcutmin") == [2.5]


def test_the_edge_of_spheres_is_the_one_built_into_abinit(alloy, folder):
    assert values_of(written(alloy, folder), "ratsm") == [0.05]


def test_mixing(alloy, folder):
    text = written(alloy, folder, Mixing(0.01, 7, 0.4))
    assert [values_of(text, key)[0] for key in ("magcon_lambda", "nstep", "diemix")] == [0.01, 7, 0.4]
    assert "diemix" not in written(alloy, folder)


def test_no_line_is_too_long(folder):
    """ABINIT cuts lines at 264 characters."""
    n_atoms = 300
    cell = Configuration(np.full(n_atoms, 26), np.zeros((n_atoms, 3)), 40.0 * np.eye(3), np.zeros((n_atoms, 3)))
    text = written(cell, folder)
    assert max(map(len, text.splitlines())) < 200
    assert len(values_of(text, "typat")) == n_atoms


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tolvrs": 1e-4}, "tolvrs"),
        ({"magcon_lambda": 0.3}, "magcon_lambda"),
        ({"k_shift": [0.5, 0.5, 1.0]}, "k_shift"),
        ({"pseudopotentials": {"Iron": "Fe.psp8"}}, "'Iron' is not a chemical symbol"),
        ({"initial_moments_muB": {"Fe": -2.0}}, "initial_moments_muB"),
        ({"bands": 3}, "unknown key 'bands'"),
    ],
)
def test_settings_that_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        parse_settings(AbinitSettings, values, "engine.yaml")


def test_files_are_found_by_what_their_header_says(folder):
    settings = AbinitSettings(pseudopotential_folder=folder)
    assert find_pseudopotential("Fe", settings).path == folder / "Fe.psp8"
    germanium = find_pseudopotential("Ge", settings)
    assert (germanium.path, germanium.n_electrons) == (folder / "deep" / "Ge.psp8", 14)


def test_a_named_file_wins(folder):
    named = write_file(folder / "other.psp8", 26, 8)
    settings = AbinitSettings(pseudopotential_folder=folder, pseudopotentials={"Fe": named})
    assert find_pseudopotential("Fe", settings).n_electrons == 8


def test_several_files_are_a_question_unless_one_is_of_the_dojo(folder):
    settings = AbinitSettings(pseudopotential_folder=folder)
    write_file(folder / "other.psp8", 26, 8)
    with pytest.raises(InputError, match=r"several pseudopotentials of Fe: .*name one"):
        find_pseudopotential("Fe", settings)
    chosen = write_file(folder / "Pseudodojo_nc_sr_04_pbe_standard" / "Fe.psp8", 26, 16)
    assert find_pseudopotential("Fe", settings).path == chosen


def test_other_functionals_are_passed_over(folder):
    write_file(folder / "lda.psp8", 26, 16, functional=-1012)
    assert find_pseudopotential("Fe", AbinitSettings(pseudopotential_folder=folder)).path == folder / "Fe.psp8"


def test_no_file(folder):
    with pytest.raises(InputError, match=r"no norm-conserving PBE pseudopotential \(psp8\) of Co in .*name one"):
        find_pseudopotential("Co", AbinitSettings(pseudopotential_folder=folder))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<?xml version="1.0"?>\n<paw_dataset version="0.7">\n\n', "PAW and PSML files give wrong fields"),
        (HEADER.format(number=26, electrons=16, format=7, functional=11), "PAW and PSML files give wrong fields"),
        (
            HEADER.format(number=26, electrons=16, format=8, functional=-1012),
            "functional has the number -1012; only PBE",
        ),
        (HEADER.format(number=26, electrons=16, format=3, functional=11), "not a norm-conserving"),
        (HEADER.format(number=27, electrons=17, format=8, functional=11), "element with number 27, wanted for Fe"),
        ("", "not a norm-conserving"),
    ],
)
def test_files_that_are_refused(tmp_path, text, message):
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        find_pseudopotential("Fe", AbinitSettings(pseudopotentials={"Fe": path}))


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*No such file"):
        find_pseudopotential("Fe", AbinitSettings(pseudopotentials={"Fe": tmp_path / "none"}))
