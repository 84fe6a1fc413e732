"""Validation of a set of labels: findings on the frames of a file, and a cleaned copy."""

from soso_core.validation.check import check_frames
from soso_core.validation.clean import Cleaned, clean_frames
from soso_core.validation.finding import Finding, Kind

__all__ = ["Cleaned", "Finding", "Kind", "check_frames", "clean_frames"]
