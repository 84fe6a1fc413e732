"""`soso data`: conversion of sets of labels between formats, and their validation."""

import json
from pathlib import Path

import click

from soso_core.app import formats
from soso_core.app.paths import check_output, check_outputs
from soso_core.errors import InputError
from soso_core.formats import write_file
from soso_core.formats.extxyz import read_atoms, write_atoms

FOUND = 1
"""Exit code of a check with findings."""
CONVERT_HELP = f"""
Convert SOURCE into another format.

The format follows from the name ({formats.ENDINGS}); a folder is deepmd (DeePMD-kit, `deepspin`, npy), a name that
begins with EMBSET is embset.  An EMBSET file has no lattice: reading one needs --structure; when one is written,
--structure names a new extended XYZ file for the lattice.  An existing folder is replaced only when this command
wrote it.

\b
Example:
  soso data convert deepmd_folder -o train.extxyz
  soso data convert EMBSET -o train.extxyz --structure POSCAR
  soso data convert train.extxyz -o folder --to deepmd
"""


@click.group()
def data() -> None:
    """Convert sets of labels between formats and validate them.

    \b
    Example:
      soso data convert deepmd_folder -o train.extxyz
      soso data check train.extxyz --clean cleaned.extxyz
    """


@data.command(short_help="Convert between file formats of labels.", help=CONVERT_HELP)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File or folder to write.")
@click.option("--from", "given", type=click.Choice(formats.READABLE), help="Format of SOURCE; default: by its name.")
@click.option("--to", "wanted", type=click.Choice(formats.WRITABLE), help="Format of the output; default: by its name.")
@click.option(
    "--structure", type=click.Path(path_type=Path), help="Lattice of an EMBSET file; any format ASE reads, same order."
)
def convert(source: Path, output: Path, given: str | None, wanted: str | None, structure: Path | None) -> None:
    """Convert labels into another format."""
    count, written = formats.convert(source, given, output, wanted, structure)
    click.echo(f"{count} configurations written to {output} ({written})")


@data.command(short_help="Find errors in a set of labels.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--clean", "cleaned", type=click.Path(path_type=Path), help="Write a cleaned copy (extended XYZ).")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the findings to this file too.")
@click.pass_context
def check(ctx: click.Context, file: Path, cleaned: Path | None, output: Path | None) -> None:
    """Validate FILE (extended XYZ) and print one line for each finding.

    The checks find numbers that are not finite, cells that are not periodic, spins that are not unit vectors, atoms
    that coincide, moment magnitudes that are negative or far from the median of their species, MW_int mixed with M_int
    (suspected), missing energies and fields, energies far from the median, fields along the spin, and
    symmetry-equivalent configurations.

    --clean renormalises spins within 1e-3, projects fields, removes impossible labels, and drops unusable
    configurations and duplicates with equal labels.  It prints one line for each action.

    \b
    Exit status: 0 nothing found, 1 something found (cleaned or not), 2 not readable.

    \b
    Example:
      soso data check train.extxyz --clean cleaned.extxyz --json findings.json
    """
    from soso_core.validation import check_frames, clean_frames

    check_outputs({"--clean": cleaned, "--json": output}, [file])
    frames = read_atoms(file)
    findings = check_frames(frames)
    for finding in findings:
        click.echo(finding.line(str(file)))
    noun = "finding" if len(findings) == 1 else "findings"
    click.echo(f"{file}: {len(frames)} configurations, {len(findings)} {noun}")
    if output is not None:
        found = [finding.as_json() for finding in findings]
        values = {"file": str(file), "n_configurations": len(frames), "findings": found}
        write_file(output, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if cleaned is not None:
        result = clean_frames(frames, findings)
        for index, text in result.actions:
            click.echo(f"{file}, configuration {index}: {text}")
        if not result.frames:
            raise InputError(f"{file}: no configuration is left; {cleaned} was not written")
        write_atoms(cleaned, result.frames)
        click.echo(f"{len(result.frames)} of {len(frames)} configurations written to {cleaned}")
    if findings:
        ctx.exit(FOUND)


@data.command(short_help="Subtract the penalty that foreign energies contain.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The labels without it.")
@click.option("--kappa", type=click.FloatRange(min=0.0), help="κ = 1/(2 LAMBDA), μB²/eV; estimated if not given.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the inducing points.")
def subtract_penalty(file: Path, output: Path, kappa: float | None, seed: int) -> None:
    """Subtract κ Σ|B|², the energy of the constraint, from the energies of FILE; B are the exchange fields.

    Labels that SOSO's engines made do not contain it and stay as they are.  Without --kappa, κ is estimated from the
    other labels; the command refuses labels that do not determine it.  Give the κ that one file printed for others of
    the same source.

    \b
    Example:
      soso data subtract-penalty labels.extxyz -o train.extxyz
      soso data subtract-penalty more.extxyz -o test.extxyz --kappa 0.031
    """
    import numpy as np

    from soso_core.formats import read_dataset, write_dataset
    from soso_core.gp.assessment import penalty

    check_output(output, [file])
    dataset = read_dataset(file)
    n_held = sum(map(penalty.may_contain_penalty, dataset))
    if all(penalty.ENGINE_KEY in item.info for item in dataset):
        raise InputError(f"{file}: all labels were made by SOSO's engines, which store energies without the penalty")
    if not n_held:
        raise InputError(f"{file}: no energy can contain a penalty: exchange fields are missing or it is subtracted")
    error = ""
    if kappa is None:
        estimate = penalty.estimate_penalty(dataset, np.random.default_rng(seed))
        kappa, error = estimate.kappa, f" ± {estimate.deviation:.2g}"
        if not estimate.is_determined:
            found = f"estimate: {kappa:.2g}{error} μB²/eV"
            raise InputError(f"{file}: the labels do not determine kappa ({found}); give --kappa")
    write_dataset(output, penalty.subtract_penalty(dataset, kappa))
    shown = f"κ = {kappa:.4g}{error} μB²/eV"
    click.echo(f"{shown} subtracted from {n_held} of {len(dataset)} energies, written to {output}")
