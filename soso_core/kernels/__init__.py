"""Numba functions: arrays in, arrays out."""
