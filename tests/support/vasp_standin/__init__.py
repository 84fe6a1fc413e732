"""A stand-in for VASP, for tests only: reads its input, refuses what it refuses, writes its files.  It is not VASP.

Run as `python -m vasp_standin` in a folder with INCAR, POSCAR, KPOINTS and POTCAR.  Its behaviour is set by the
environment variables listed in `vasp_standin.environment`.
"""
