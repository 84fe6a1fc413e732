"""Generators of candidate configurations."""
