"""`soso.vasp.constrained`: one run of VASP with constrained moments."""

from pathlib import PurePath

from aiida.common import CalcInfo
from aiida.common.exceptions import InputValidationError
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec
from aiida.orm import ArrayData, Dict
from aiida_vasp.calcs.vasp import VaspCalculation

from soso_core.engines.vasp.output_files import incar_problems


class ConstrainedVaspCalculation(VaspCalculation):
    """`VaspCalculation` that also retrieves OSZICAR, which holds the constraint.

    Output `constraint`: arrays `moments_mw_ac`, `moments_m_ac` (μB), `constraint_fields_ac` (as printed, eV/μB
    times a factor) and `is_constrained_a` (0 or 1), atoms in VASP's order; attributes
    `penalty_energy_eV`, `lambda_eV_per_muB2`, `scf_steps` and `scf_change_eV`.

    Exit status 0 means that the run ended by itself and converged, and that vasprun.xml and the table of the
    constraint are complete.  Statuses from 340 on belong to this class, the others to aiida-vasp.
    """

    OSZICAR = "OSZICAR"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Add the output and the exit codes."""
        super().define(spec)
        spec.inputs["metadata"]["options"]["parser_name"].default = "soso.vasp.constrained"
        # aiida-vasp reads the settings when it copies the files of a restart, even if there are none
        spec.inputs["settings"].default = lambda: Dict({})
        spec.output("constraint", valid_type=ArrayData, required=False, help="the constraint at the end of the run")
        spec.exit_code(340, "ERROR_OSZICAR_MISSING", message="there is no OSZICAR", invalidates_cache=True)
        spec.exit_code(341, "ERROR_CONSTRAINT_TABLE", message="{detail}", invalidates_cache=True)
        spec.exit_code(342, "ERROR_VASPRUN_UNREADABLE", message="{detail}", invalidates_cache=True)
        spec.exit_code(343, "ERROR_OUTCAR_MISSING", message="there is no OUTCAR", invalidates_cache=True)
        spec.exit_code(344, "ERROR_KILLED", message="VASP was killed: {detail}", invalidates_cache=True)
        spec.exit_code(345, "ERROR_OUT_OF_WALLTIME", message="the scheduler ended the job", invalidates_cache=True)
        spec.exit_code(346, "ERROR_OUT_OF_MEMORY", message="the job ran out of memory", invalidates_cache=True)
        spec.exit_code(347, "ERROR_OUTPUT_MISSING", message="missing: {detail}", invalidates_cache=True)
        spec.exit_code(348, "ERROR_COMPLAINT", message="{detail}", invalidates_cache=True)

    def verify_inputs(self) -> None:
        """Raise InputValidationError for inputs that VASP would reject."""
        super().verify_inputs()
        problems = incar_problems(self._parameters, [site.kind_name for site in self._structure().sites])
        if problems:
            raise InputValidationError("; ".join(problems))

    def remote_copy_restart_folder(self) -> list[tuple[str, str, str]]:
        """Return the files to copy from the previous run: only those that are read, since orbitals are large."""
        is_read = {"CHGCAR": self._need_chgcar(), "WAVECAR": self._need_wavecar()}
        return [entry for entry in super().remote_copy_restart_folder() if is_read.get(PurePath(entry[1]).name, True)]

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Return the job description with OSZICAR on the list of files to keep."""
        calc_info = super().prepare_for_submission(folder)
        calc_info.retrieve_list = sorted({*calc_info.retrieve_list, self.OSZICAR})
        return calc_info
