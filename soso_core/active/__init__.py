"""Candidates, selection of batches, stopping decisions and offline studies."""
