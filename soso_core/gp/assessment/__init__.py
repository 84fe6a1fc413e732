"""Assessment of a fitted model: errors on labels, calibration, field scale, penalty."""
