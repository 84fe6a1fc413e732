"""Sampling of spins with a fitted model."""
