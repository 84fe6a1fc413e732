"""VASP through aiida-vasp: settings, calculation, parser, calcfunctions."""
