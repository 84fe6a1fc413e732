"""Kernels for one column in SIMD code: energies, fields and forces of a compiled model."""
