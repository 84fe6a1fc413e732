"""Labels by VASP: the constraint ramp, handlers, the field scale."""
