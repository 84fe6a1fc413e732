"""`soso warmup` says what it does, with a model and without."""

from click.testing import CliRunner

from soso_core.app.warmup_command import warmup
from soso_core.gp.model.model_file import save_model


def test_without_a_model():
    result = CliRunner().invoke(warmup, [])
    assert result.exit_code == 0, result.output
    for step in ("fitting", "fast evaluation, pair part", "fast evaluation, whole model", "all kernels are compiled"):
        assert step in result.output


def test_with_a_model_of_two_species(alloy_model, tmp_path):
    save_model(tmp_path / "m.soso", alloy_model)
    result = CliRunner().invoke(warmup, [str(tmp_path / "m.soso")])
    assert result.exit_code == 0, result.output
    assert "fitting" not in result.output
