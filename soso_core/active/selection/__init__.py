"""Acquisition functions and the choice of a batch."""
