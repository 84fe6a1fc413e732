"""Offline studies: campaigns replayed on labelled data."""
