"""The input file of one run: a configuration and settings as ABINIT's plain text."""

from collections.abc import Iterable
from dataclasses import dataclass

from ase.units import Bohr, Hartree

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.abinit.pseudopotentials import Pseudopotential
from soso_core.engines.abinit.settings import AbinitSettings
from soso_core.engines.k_mesh import mesh_counts
from soso_core.engines.moments import start_magnitudes

DIRECTION_ONLY = 2
"""`constraint_kind` that holds the direction of a moment and leaves its magnitude free."""

SPHERE_EDGE_BOHR = 0.05
"""Width over which spheres fade out.  ABINIT 9.6 has this number built into the constraining potential and reads
another for the moments; when they differ, the moments miss their directions and the gradient is 5 % off."""

FIXED = """\
ixc 11
nsppol 1
nspinor 2
nspden 4
so_psp {so_psp}
nsym 1
chkprim 0
kptopt 3
nshiftk 1
occopt 3
optforces 1
optstress 1
prtwf 0
prtden 0
prteig 0
prtebands 0
prtgsr 0
timopt 0
"""
"""PBE; noncollinear without spin-orbit coupling; no symmetry, k and -k differ; Fermi-Dirac; no files but the output."""


@dataclass(frozen=True)
class Mixing:
    """Parameters of the self-consistency that do not change the converged state.

    `diemix` scales every step of the potential (ABINIT's default when None).
    """

    magcon_lambda: float
    max_iterations: int
    diemix: float | None = None


def atom_types(configuration: Configuration) -> tuple[list[tuple[str, bool]], list[int]]:
    """Return ABINIT's types, (symbol, is magnetic) each, and (from 1) the type of every atom.

    Constraints belong to types, so that atoms of one element with and without a spin are two types.  The order of
    the atoms is kept; ABINIT accepts types in any order.
    """
    keys = list(zip(configuration.symbols, configuration.is_magnetic_a.tolist(), strict=True))
    types = list(dict.fromkeys(keys))
    return types, [types.index(key) + 1 for key in keys]


def pseudopotential_name(index: int) -> str:
    """Return the name of the file of a type (from 0) in the folder of the run: short and without blanks."""
    return f"type{index + 1}.psp8"


def write_input(
    configuration: Configuration, settings: AbinitSettings, pseudopotentials: dict[str, Pseudopotential], mixing: Mixing
) -> str:
    """Return the text of the input file; lengths in Bohr and energies in Hartree, by ASE's constants."""
    types, type_a = atom_types(configuration)
    mesh = mesh_counts(configuration.cell_vc, settings.k_spacing_per_angstrom, settings.k_mesh)
    magnitudes_a = start_magnitudes(configuration, settings.initial_moments_muB, settings.initial_moment_muB)
    files = ", ".join(pseudopotential_name(i) for i in range(len(types)))
    lines = [
        f'pseudos "{files}"',
        f"ntypat {len(types)}",
        _line("znucl", (configuration.numbers_a[type_a.index(i + 1)] for i in range(len(types)))),
        _line("constraint_kind", (DIRECTION_ONLY if is_magnetic else 0 for _, is_magnetic in types)),
        f"ratsm {SPHERE_EDGE_BOHR:g}",
        _line("ratsph", [settings.moment_radius_angstrom / Bohr] * len(types)),
        f"natom {len(configuration)}",
        _line("typat", type_a),
        "acell 1 1 1",
        _rows("rprim", configuration.cell_vc / Bohr),
        _rows("xcart", configuration.positions_ac / Bohr),
        _rows("spinat", configuration.spins_ac * magnitudes_a[:, None]),
        _line("ngkpt", mesh),
        _line("shiftk", settings.k_shift),
        f"ecut {settings.ecut_ev / Hartree:.12g}",
        f"ecutsm {settings.ecut_smearing_ev / Hartree:.12g}",
        f"boxcutmin {settings.fft_box_ratio:g}",
        f"tsmear {settings.smearing_ev / Hartree:.12g}",
        f"nband {n_bands(configuration, settings, pseudopotentials)}",
        f"tolvrs {settings.tolvrs:g}",
        f"nstep {mixing.max_iterations}",
        f"magcon_lambda {mixing.magcon_lambda:g}",
        *([] if mixing.diemix is None else [f"diemix {mixing.diemix:g}"]),
    ]
    return "\n".join(lines) + "\n" + FIXED.format(so_psp=" ".join("0" for _ in types))


def n_bands(
    configuration: Configuration, settings: AbinitSettings, pseudopotentials: dict[str, Pseudopotential]
) -> int:
    """Return the number of bands; a noncollinear one holds one electron."""
    electrons = sum(pseudopotentials[symbol].n_electrons for symbol in configuration.symbols)
    return electrons + settings.empty_bands_per_atom * len(configuration)


def _line(key: str, values: Iterable[float]) -> str:
    words = [f"{value:.12g}" for value in values]
    # ABINIT reads lines of at most 264 characters.
    return "\n  ".join([key, *(" ".join(words[i : i + 12]) for i in range(0, len(words), 12))])


def _rows(key: str, values_xc: FloatArray) -> str:
    return "\n".join([key, *("  " + " ".join(f"{value:.15g}" for value in row) for row in values_xc)])
