"""The model: basis, covariance, inducing points, the fitted model and its file."""
