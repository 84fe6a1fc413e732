"""Fitted models compiled for speed: many atoms, many steps, no error bars."""
