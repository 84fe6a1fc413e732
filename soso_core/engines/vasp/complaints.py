"""Known error messages of VASP on standard output, and their remedies.

The remedies are those of VASP's manual and forum.  None of them changes the converged energy.  A change that would,
like another smearing or other projectors, must be the same for all labels of a campaign and is left to the user.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BANDS_FACTOR = 1.15
"""Factor of the number of bands when the topmost one is occupied."""


@dataclass(frozen=True)
class Complaint:
    """A line that VASP prints.

    `changes` to the INCAR are the remedy, None when there is none.  With `cold` the density is the cause, so that the
    next run must start without one.  With `more_bands` the next run gets more bands.
    """

    name: str
    pattern: str
    meaning: str
    changes: Mapping[str, Any] | None = field(default_factory=dict)
    cold: bool = False
    more_bands: bool = False


COMPLAINTS = (
    Complaint("edddav_zhegv", r"EDDDAV: Call to ZHEGV failed", "Davidson broke down", {"algo": "all"}),
    Complaint("eddrmm_zhegv", r"EDDRMM: call to ZHEGV failed", "RMM-DIIS broke down", {"algo": "normal"}),
    Complaint("zpotrf", r"Routine ZPOTRF failed", "overlap not positive", {"algo": "all"}),
    Complaint("zheev", r"ZHEEV|ZHEGV failed", "diagonalisation failed", {"algo": "all"}),
    Complaint("not_hermitian", r"(?i)sub-?space-?matrix is not hermitian", "Davidson broke down", {"algo": "all"}),
    Complaint("pssyevx", r"subspace rotation PSSYEVX", "ScaLAPACK failed", {"lscalapack": False}),
    Complaint("pzheevx", r"subspace rotation PDSYEVX", "ScaLAPACK failed", {"lscalapack": False}),
    Complaint("pzstein", r"PZSTEIN parameter number", "ScaLAPACK failed", {"lscalapack": False}),
    Complaint("edwav", r"EDWAV: internal error", "gradient not orthogonal", {"algo": "normal"}),
    Complaint("fexcp", r"ERROR FEXCP: supplied", "the density diverged", cold=True),
    Complaint("cnormn", r"WARNING: CNORMN", "orbitals not normalised", cold=True),
    Complaint("brmix", r"BRMIX: very serious problems", "electrons lost in the mixing", cold=True),
    Complaint("kset_change", r"requested a change of the k-point set", "parallel settings", {"ncore": 1}),
    Complaint("few_bands", r"TOO FEW BANDS", "the topmost band is occupied", more_bands=True),
    Complaint("density_cut", r"(?i)charge ?density file is incomplete", "CHGCAR is truncated", cold=True),
    Complaint("density_foreign", r"dimensions on CHGCAR file are different", "CHGCAR of another cell", cold=True),
    Complaint("density_unread", r"charge density could not be read", "CHGCAR cannot be read", cold=True),
    Complaint("orbitals_cut", r"ERROR: while reading WAVECAR", "WAVECAR is truncated", cold=True),
    Complaint("projectors", r"REAL_OPT|RSPHER|PSMAXN for non-local", "projectors; choose LREAL = .FALSE.", None),
    Complaint("tetrahedra", r"WARNING: DENTET", "no Fermi level; choose another smearing", None),
    Complaint("rhosyg", r"RHOSYG", "symmetrising the density failed; choose ISYM = 0", None),
    Complaint("collinear", r"non collinear calculations require", "this executable is not vasp_ncl", None),
    Complaint("gamma_only", r"Gamma-point-only version with more than one", "this executable is vasp_gam", None),
    Complaint("incar", r"Error reading item '\w+' from file INCAR", "INCAR has a wrong value", None),
    Complaint("memory", r"SET_INDPW_FULL: insufficient|insufficient virtual memory", "too little memory", None),
    Complaint("refused", r"I REFUSE TO CONTINUE WITH THIS SICK JOB", "VASP rejected the input", None),
)
"""In the order of the search: a special one before a general one."""


def find_complaint(stdout: str) -> Complaint | None:
    """Return the first of `COMPLAINTS` in the output, None when there is none."""
    return next((complaint for complaint in COMPLAINTS if re.search(complaint.pattern, stdout)), None)


def quote_complaint(complaint: Complaint, stdout: str) -> str:
    """Return the line of the complaint and the one before, which often has the reason, without frames of boxes."""
    lines = [line for line in (line.strip(" |-<>") for line in stdout.splitlines()) if line]
    number = next((k for k, line in enumerate(lines) if re.search(complaint.pattern, line)), 0)
    return " / ".join(lines[max(0, number - 1) : number + 1])


def complaint_remedy(complaint: Complaint, n_bands: int | None) -> dict[str, Any] | None:
    """Return the changes to the INCAR against a complaint, None when there are none; `n_bands` is NBANDS of the run."""
    if complaint.changes is None or (complaint.more_bands and n_bands is None):
        return None
    bands = {"nbands": math.ceil(BANDS_FACTOR * n_bands)} if complaint.more_bands and n_bands is not None else {}
    return {**complaint.changes, **bands}
