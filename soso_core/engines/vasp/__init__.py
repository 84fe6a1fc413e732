"""VASP with constrained moments: what goes in, what came out, and whether to believe it.  No workflow engine needed."""
