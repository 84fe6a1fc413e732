"""Descriptors of local environments with their exact derivatives."""
