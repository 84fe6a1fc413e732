"""Kernels with many columns, in double loops: descriptors and their derivatives for fits."""
