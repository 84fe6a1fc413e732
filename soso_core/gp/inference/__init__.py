"""Fitting: targets, normal equations, evidence, hyperparameters."""
