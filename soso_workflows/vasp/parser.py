"""Parser of `soso.vasp.constrained`: checks the files, calls aiida-vasp's parser, then checks the numbers."""

from typing import Any

import numpy as np
from aiida.engine import ExitCode
from aiida.orm import ArrayData
from aiida_vasp.parsers.vasp import ParserSettingsConfig, VaspParser

from soso_core.engines.vasp.complaints import find_complaint
from soso_core.engines.vasp.oszicar import ConstraintTable, read_constraint, read_scf
from soso_core.engines.vasp.output_files import (
    NOT_REACHED,
    check_labels,
    outcar_is_whole,
    vasprun_is_whole,
)
from soso_core.engines.vasp.remedies import vectors
from soso_core.errors import InputError
from soso_workflows.parsers.retrieved import text_of

REQUIRED_QUANTITIES = {"run_status", "run_stats", "total_energies", "forces", "stress"}
"""aiida-vasp ends with 0 when one of these is absent, unless it is required."""

ENERGY_TYPES = ["energy_free", "energy_extrapolated"]
"""The free energy is the one whose derivatives are the forces and the fields."""

SCHEDULER_MEMORY, SCHEDULER_WALLTIME = 110, 120
"""Exit statuses of AiiDA's schedulers."""

MEMORY_SIGNS = ("oom-kill", "oom_kill", "Out Of Memory", "out of memory")


class ConstrainedVaspParser(VaspParser):
    """Attach `constraint` beside the outputs of aiida-vasp."""

    _constraint: ConstraintTable | None = None

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Return the exit code of the run: 0 for a converged label, whatever the state of the scheduler.

        Absent and truncated files are found before aiida-vasp's parser reads them, since that parser repairs a
        truncated XML file and would return its numbers.
        """
        failure = self._find_failed_run() or self._find_bad_file() or self._find_bad_table()
        if failure is not None:
            return failure
        try:
            code = super().parse(**kwargs)
        except (Exception, SystemExit) as error:  # parsevasp leaves by sys.exit, which would end the worker
            self.logger.exception("aiida-vasp's parser failed")
            return self.exit_codes.ERROR_VASPRUN_UNREADABLE.format(detail=f"{type(error).__name__}: {error}")
        return code or self._find_bad_number() or ExitCode(0)

    def _init_user_settings(self) -> ParserSettingsConfig:
        """Return the settings of the user, with the quantities and checks that a label always needs."""
        config = super()._init_user_settings()
        config.required_quantity = sorted({*config.required_quantity, *REQUIRED_QUANTITIES})
        config.energy_type = [*ENERGY_TYPES, *(name for name in config.energy_type if name not in ENERGY_TYPES)]
        config.check_errors = config.check_completeness = True
        return config

    def _find_failed_run(self) -> ExitCode | None:
        """Return why VASP did not end by itself, None when it did or when that is unknown."""
        codes, names = self.exit_codes, set(self.retrieved.list_object_names())
        stdout, outcar = self._text("vasp_output"), self._text("OUTCAR")
        if outcar_is_whole(outcar):
            return None
        complaint = find_complaint(stdout)
        if complaint is not None:
            return codes.ERROR_COMPLAINT.format(detail=f"{complaint.name}: {complaint.meaning}")
        if self.node.exit_status == SCHEDULER_MEMORY or any(sign in self._scheduler_stderr for sign in MEMORY_SIGNS):
            return codes.ERROR_OUT_OF_MEMORY
        if self.node.exit_status == SCHEDULER_WALLTIME:
            return codes.ERROR_OUT_OF_WALLTIME
        if not names & {"OUTCAR", "OSZICAR", "vasprun.xml"}:
            return codes.ERROR_VASP_DID_NOT_EXECUTE
        if "OUTCAR" in names:
            return codes.ERROR_KILLED.format(detail=f"{read_scf(self._text('OSZICAR')).n_steps} steps were done")
        return None

    def _find_bad_file(self) -> ExitCode | None:
        """Return which file is absent or truncated."""
        codes, names = self.exit_codes, set(self.retrieved.list_object_names())
        if "OUTCAR" not in names:
            return codes.ERROR_OUTCAR_MISSING
        if not vasprun_is_whole(self._text("vasprun.xml")):
            state = "is truncated" if "vasprun.xml" in names else "is missing"
            return codes.ERROR_VASPRUN_UNREADABLE.format(detail=f"vasprun.xml {state}")
        missing = [name for name in ("CONTCAR", "vasp_output") if name not in names]
        return codes.ERROR_OUTPUT_MISSING.format(detail=", ".join(missing)) if missing else None

    def _find_bad_table(self) -> ExitCode | None:
        """Read the constraint; return why it cannot be read."""
        if "OSZICAR" not in self.retrieved.list_object_names():
            return self.exit_codes.ERROR_OSZICAR_MISSING
        target_ac = vectors(self.node.inputs.parameters["m_constr"])
        try:
            self._constraint = read_constraint(
                self._text("OSZICAR"), is_constrained_a=np.linalg.norm(target_ac, axis=1) > 0.0
            )
        except InputError as error:
            return self.exit_codes.ERROR_CONSTRAINT_TABLE.format(detail=str(error))
        return None

    def _find_bad_number(self) -> ExitCode | None:
        """Return why a run that aiida-vasp accepts is not a label."""
        if NOT_REACHED in self._text("OUTCAR"):
            return self.exit_codes.ERROR_ELECTRONIC_NOT_CONVERGED
        try:
            check_labels(self.quantities_each["vasprun.xml"], len(self.node.inputs.structure.sites))
        except InputError as error:
            return self.exit_codes.ERROR_VASPRUN_UNREADABLE.format(detail=str(error))
        return None

    def _compose_constraint(self, _: dict[str, Any]) -> ArrayData:
        """Return the constraint as a node; aiida-vasp finds this method by its name."""
        table, trace = self._constraint, read_scf(self._text("OSZICAR"))
        assert table is not None
        node = ArrayData()
        for name in ("moments_mw_ac", "moments_m_ac", "constraint_fields_ac"):
            node.set_array(name, np.array(getattr(table, name)))
        node.set_array("is_constrained_a", table.is_constrained_a.astype(int))
        node.base.attributes.set("penalty_energy_eV", table.penalty_energy)
        node.base.attributes.set("lambda_eV_per_muB2", table.lambda_)
        node.base.attributes.set("scf_steps", trace.n_steps)
        node.base.attributes.set("scf_change_eV", trace.last_change)
        return node

    @property
    def _scheduler_stderr(self) -> str:
        return self._text(self.node.get_option("scheduler_stderr") or "")

    def _text(self, name: str) -> str:
        return text_of(self.retrieved, name)
