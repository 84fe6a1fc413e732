"""Incremental kernels: sweeps of single-spin proposals."""
