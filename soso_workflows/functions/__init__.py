"""Calcfunctions of the loop."""
