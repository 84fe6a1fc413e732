"""Interfaces to other programs: the ASE calculator and conversions."""
