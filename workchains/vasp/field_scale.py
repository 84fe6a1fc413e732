"""`soso.vasp.field_scale`: measure the factor of the field that VASP prints by finite differences."""

from typing import Any

from aiida.engine import ExitCode, ProcessSpec, WorkChain
from aiida.orm import Dict, ProcessNode, StructureData

from soso_core.engines.vasp.field_scale import measure
from soso_core.errors import InputError
from soso_workchains.vasp.label import VaspLabelWorkChain
from soso_workflows.provenance.failures import describe_failure
from soso_workflows.vasp import functions

NAMES = ("base", "plus", "minus")


class FieldScaleWorkChain(WorkChain):
    """Label the ferromagnet with one spin rotated by 30 degrees, and by 5 degrees more and less.

    Output `field_scale`: Dict with `field_scale` (c in -∂E/∂e = c |MW_int| printed), `error`, `energy_difference_meV`.
    The factor depends on the program, not on the material: a small cell is enough; one with a single spin is doubled.
    Exit codes: 401 a label failed, 402 energies and fields cannot be compared.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs, exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=StructureData, help="a small cell with a spin")
        spec.expose_inputs(VaspLabelWorkChain, namespace="label", exclude=("configuration", "field_scale", "metadata"))
        spec.outline(cls.make_configurations, cls.label, cls.compare)
        spec.output("field_scale", valid_type=Dict, help="the factor, its error, and the energy difference behind it")
        spec.exit_code(401, "ERROR_LABEL_FAILED", message="{detail}")
        spec.exit_code(402, "ERROR_NO_COMPARISON", message="{detail}")

    def make_configurations(self) -> ExitCode | None:
        """Rotate the spin."""
        if functions.count_spins(self.inputs.structure, self.inputs.label.species) == 0:
            detail = "no atom of the cell is of an element in initial_moments_muB"
            return self.exit_codes.ERROR_NO_COMPARISON.format(detail=detail)
        self.ctx.made = functions.field_scale_configurations(self.inputs.structure, self.inputs.label.species)
        return None

    def label(self) -> Any:
        """Submit the three labels."""
        return self.to_context(**{f"label_{name}": self._submit(name) for name in NAMES})

    def compare(self) -> ExitCode | None:
        """Compare the energies with the fields."""
        processes = {name: self.ctx[f"label_{name}"] for name in NAMES}
        for name, process in processes.items():
            if not process.is_finished_ok:
                detail = f"{name}: {describe_failure(process)}"
                return self.exit_codes.ERROR_LABEL_FAILED.format(detail=detail)
        labels = {name: process.outputs.label for name, process in processes.items()}
        try:
            measure(*(labels[name].get_dataset()[0] for name in NAMES))
        except InputError as error:
            return self.exit_codes.ERROR_NO_COMPARISON.format(detail=str(error))
        self.out("field_scale", functions.measure_field_scale(**labels))
        return None

    def _submit(self, name: str) -> ProcessNode:
        return self.submit(
            VaspLabelWorkChain,
            configuration=self.ctx.made[name],
            field_scale=self.ctx.made["printed"],
            metadata={"call_link_label": name},
            **self.exposed_inputs(VaspLabelWorkChain, namespace="label", agglomerate=False),
        )
