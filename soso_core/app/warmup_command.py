"""`soso warmup`: compile all kernels before they are needed."""

import time
from pathlib import Path

import click


@click.command()
@click.argument("model", type=click.Path(path_type=Path), required=False)
def warmup(model: Path | None) -> None:
    """Compile all kernels and keep them on disk; a second call finds them there and takes seconds.

    Without MODEL the command fits and evaluates a tiny model of its own, which compiles everything: fits, predictions,
    dynamics and Monte Carlo.  With MODEL it evaluates that model.

    \b
    Example:
      soso warmup model.soso
    """
    from soso_core.app.warmup import warmup_steps
    from soso_core.gp.model.model_file import load_model

    begin = time.perf_counter()
    for step in warmup_steps(None if model is None else load_model(model)):
        click.echo(f"{step.name} ... ", nl=False)
        start = time.perf_counter()
        step.run()
        click.echo(f"{time.perf_counter() - start:.1f} s")
    click.echo(f"all kernels are compiled: {time.perf_counter() - begin:.1f} s")
