"""Equivalence of configurations under the symmetry of a model."""
