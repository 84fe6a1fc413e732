"""VASP with constrained moments: input, output, and the checks of both, without a workflow engine."""
