"""The sparse Gaussian process; imports go from assessment to inference to model, never back."""
