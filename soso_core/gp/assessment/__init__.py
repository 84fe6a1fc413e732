"""Judging a fitted model: errors on labels, calibration, the scale of the fields."""
