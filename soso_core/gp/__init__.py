"""The sparse Gaussian process: model, inference and assessment."""
