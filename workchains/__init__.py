"""AiiDA workchains: the active-learning loop and the labelling engines."""
