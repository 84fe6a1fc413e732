"""Campaign files: one YAML file with all settings of a campaign, checked before anything runs."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from ase import Atoms
from pydantic import Field

from soso_core.active.candidates.generators import check_generators
from soso_core.active.candidates.settings import ExplorationSettings
from soso_core.active.stopping.policy import PolicySettings
from soso_core.errors import InputError, locate_errors
from soso_core.formats import read_configurations, read_structure_atoms, validate_structure
from soso_core.gp.model.settings import FitSettings
from soso_core.quality import is_at_least
from soso_core.settings import Settings, read_settings, show_settings
from soso_workchains.active_learning.inputs import DEFAULT_MIN_GRADE
from soso_workchains.label.contract import ENGINE_PREFIX, LabelWorkChain, load_label_workchain
from soso_workflows.data.sources import (
    MEASURE,
    Source,
    check_initial_model,
    read_content,
    read_initial_dataset,
    resolve_source,
)


class CampaignSettings(Settings):
    """The keys of a campaign file."""

    name: str = Field(min_length=1, description="label of the process node")
    structure: Path = Field(description="any file ASE reads; a relative path starts at the campaign file")
    engine: str = Field(default="tight_binding", description="the part after soso.label. of the engine's entry point")
    engine_code: str | None = Field(default=None, description="label of the engine's own code, e.g. vasp@cluster")
    engine_settings: dict[str, Any] = Field(default_factory=dict, description="keys of that engine's settings")
    dataset: str | int | None = Field(default=None, description="initial labels: extended XYZ, or PK of a node")
    model: str | int | None = Field(default=None, description="initial model: file of `soso fit`, or PK of a node")
    exploration: ExplorationSettings = Field(default=ExplorationSettings(), description="candidates and selection")
    fit: FitSettings | None = Field(default=None, description="without it, chosen from the data")
    policy: PolicySettings = Field(default=PolicySettings(), description="targets and limits, see below")
    min_grade: Literal["A", "B", "C", "D"] = Field(
        default=DEFAULT_MIN_GRADE, description="labels below this grade are excluded from training"
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed from which all other seeds are derived")
    max_parallel: int = Field(default=2, ge=1, description="number of label calculations that run at the same time")

    @property
    def engine_entry_point(self) -> str:
        """Full name of the label workchain's entry point."""
        return ENGINE_PREFIX + self.engine


@dataclass(frozen=True)
class Campaign:
    """A checked campaign file: its settings, the structure it names, the engine's checked settings."""

    settings: CampaignSettings
    structure: Atoms
    engine: type[LabelWorkChain]
    engine_settings: dict[str, Any]
    folder: Path = Path()

    @property
    def exploration(self) -> ExplorationSettings:
        """Settings of the exploration, with the user's files under their names in the folder of a job."""
        return self.settings.exploration.with_files(lambda name, _: Path(f"{name}.extxyz"))

    @property
    def sources(self) -> dict[str, Source]:
        """Files or nodes of the initial labels and the initial model, as far as the campaign file names them."""
        named = {"dataset": self.settings.dataset, "model": self.settings.model}
        return {name: resolve_source(value, self.folder) for name, value in named.items() if value is not None}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that determines the result; equal files have equal fingerprints."""
        left_out = {"structure", "dataset", "model"}
        engine_files = _engine_files(self.settings, self.engine)
        unnamed = {**self.settings.engine_settings, **dict.fromkeys(engine_files, "")}
        named = self.settings.model_copy(update={"exploration": self.exploration, "engine_settings": unnamed})
        digest = sha256(named.model_dump_json(exclude=left_out).encode())
        for file in (*self.settings.exploration.files.values(), *engine_files.values()):
            digest.update(file.read_bytes())
        for name, source in self.sources.items():
            digest.update(name.encode() + read_content(source))
        for array in (self.structure.numbers, self.structure.positions, self.structure.cell.array):
            digest.update(array.tobytes())
        return digest.hexdigest()


def read_campaign(path: Path | str, measure: str | None = None, n_existing: int | None = None) -> Campaign:
    """Read and check a campaign file.

    Parameters
    ----------
    path : the YAML file; relative paths in it start at its folder
    measure : a key of the engine's settings that is to be measured, instead of its value in the file
    n_existing : number of labels of the campaign that this one extends; they replace its first batch

    Raises InputError with one line that names file, key and problem.
    """
    settings = read_settings(CampaignSettings, path)
    exploration = settings.exploration.with_files(lambda _, file: Path(path).parent / file)
    _check_files(exploration, str(path))
    settings = settings.model_copy(update={"exploration": exploration})
    with locate_errors(f"{path}: engine"):
        engine = load_label_workchain(settings.engine_entry_point)
    if measure is not None:
        settings = _add_measured(settings, engine, measure, str(path))
    here = {key: str(Path(path).parent / file) for key, file in _engine_files(settings, engine).items()}
    settings = settings.model_copy(update={"engine_settings": {**settings.engine_settings, **here}})
    campaign = Campaign(
        settings=settings,
        structure=read_structure_atoms(Path(path).parent / settings.structure),
        engine=engine,
        engine_settings=engine.validate_settings(settings.engine_settings, f"{path}: engine_settings"),
        folder=Path(path).parent,
    )
    n_initial = _check_initial_data(campaign, str(path))
    _check_engine(campaign, str(path))
    _check_generators(campaign, has_model=n_existing is not None or bool(campaign.sources), source=str(path))
    _check_sizes(settings, n_initial if n_existing is None else n_existing, str(path))
    return campaign


def _add_measured(settings: CampaignSettings, engine: type[LabelWorkChain], key: str, source: str) -> CampaignSettings:
    """Return the settings with one value to be measured.  Raises InputError when the engine cannot measure it."""
    if key not in engine.MEASURED:
        raise InputError(f"{source}: engine: {settings.engine} has no {key.replace('_', ' ')} to measure")
    return settings.model_copy(update={"engine_settings": {**settings.engine_settings, key: MEASURE}})


def _engine_files(settings: CampaignSettings, engine: type[LabelWorkChain]) -> dict[str, Path]:
    """Return the files named in the engine's settings, by key."""
    values = {key: settings.engine_settings.get(key) for key in engine.FILE_SETTINGS}
    return {key: Path(value) for key, value in values.items() if isinstance(value, str)}


def _check_files(exploration: ExplorationSettings, source: str) -> None:
    """Raise InputError when a file of candidates is missing or cannot be read."""
    for name, file in exploration.files.items():
        with locate_errors(f"{source}: exploration.generators.{name.removeprefix('file_')}"):
            read_configurations(file)


def _check_generators(campaign: Campaign, has_model: bool, source: str) -> None:
    """Raise InputError when a generator cannot draw from this structure."""
    bare = validate_structure(campaign.structure, campaign.settings.structure)
    with locate_errors(f"{source}: exploration"):
        check_generators(bare, campaign.settings.exploration, has_model)


def _check_sizes(settings: CampaignSettings, n_existing: int | None, source: str) -> None:
    """Raise InputError when a batch needs more candidates; `n_existing` labels replace the first batch."""
    policy, n_candidates = settings.policy, settings.exploration.n_candidates
    first = policy.n_initial if n_existing is None else n_existing
    taken = {} if n_existing is not None else {"n_initial": first}
    taken["batch_size"] = min(policy.batch_size, policy.max_labels - first)
    for key, n in taken.items():
        if n > n_candidates:
            raise InputError(f"{source}: exploration.n_candidates: {n_candidates} is less than policy.{key} needs, {n}")


def _check_initial_data(campaign: Campaign, source: str) -> int | None:
    """Return the number of usable initial labels, None without; raise InputError for unsuitable labels or model."""
    sources, settings = campaign.sources, campaign.settings
    n_initial = None
    if "dataset" in sources:
        labels = read_initial_dataset(sources["dataset"], f"{source}: dataset")
        n_initial = sum(is_at_least(item.grade, settings.min_grade) for item in labels)
        if not n_initial:
            raise InputError(f"{source}: dataset: no label has grade {settings.min_grade} or better")
    if "model" in sources:
        check_initial_model(sources["model"], campaign.structure.get_chemical_symbols(), f"{source}: model")
        if settings.fit is not None and "dataset" not in sources:
            raise InputError(
                f"{source}: fit: a model without its labels keeps its settings; remove fit, or add dataset"
            )
    return n_initial


def _check_engine(campaign: Campaign, source: str) -> None:
    """Raise InputError when the code of the engine or settings for this cell are missing or unsuitable."""
    settings, engine = campaign.settings, campaign.engine
    if engine.OWN_CODE is not None and settings.engine_code is None:
        raise InputError(f"{source}: engine_code is missing; give the label of a code of {engine.OWN_CODE}")
    if engine.OWN_CODE is None and settings.engine_code is not None:
        raise InputError(f"{source}: engine_code: {settings.engine} runs `soso`, no other code; remove this key")
    wanted = settings.exploration.magnetic_species
    symbols = campaign.structure.get_chemical_symbols()
    has_spin = [wanted is None or symbol in wanted for symbol in symbols]
    engine.check_exploration(campaign.engine_settings, settings.exploration, source)
    engine.check_cell(campaign.engine_settings, campaign.structure, has_spin, f"{source}: engine_settings")


def describe(campaign: Campaign) -> dict[str, str]:
    """Return the plan of a campaign for a dry run: a text for each heading."""
    settings, policy, fit = campaign.settings, campaign.settings.policy, campaign.settings.fit
    cells = [campaign.structure.repeat(counts) for counts in settings.exploration.supercells]
    return {
        "campaign": settings.name,
        "labels at most": f"{policy.max_labels} ({policy.n_initial} first, then batches of {policy.batch_size})",
        "in parallel": str(settings.max_parallel),
        "trained on": f"labels of grade {settings.min_grade} and better",
        **{f"starts from {name}": str(source) for name, source in campaign.sources.items()},
        **_limits(policy),
        "target": _target(policy),
        "cell": "; ".join(f"{cell.get_chemical_formula()}, {len(cell)} atoms, {_lengths(cell)} Å" for cell in cells),
        "exploration": show_settings(settings.exploration.model_dump(mode="json")),
        "fit": "chosen from the data"
        if fit is None
        else show_settings(fit.model_dump(mode="json", exclude_unset=True)),
        "engine": settings.engine_entry_point,
        **({} if settings.engine_code is None else {"engine code": settings.engine_code}),
        **campaign.engine.describe(campaign.engine_settings, cells[-1]),
        **campaign.engine.estimate(campaign.engine_settings, cells[-1], policy.max_labels),
        "seed": str(settings.seed),
    }


def _target(policy: PolicySettings) -> str:
    """Return the rule by which a campaign meets its target."""
    field = policy.target_field_meV
    limits = f"{policy.target_energy_meV_per_spin:g} meV per spin" + (
        "" if field is None else f", that of the effective fields at or below {field:g} meV"
    )
    return f"upper bound of the blind error ({policy.confidence:.0%} confidence) at or below {limits}"


def _limits(policy: PolicySettings) -> dict[str, str]:
    """Return the budgets of hours that are set."""
    limits = {"core-hours at most": policy.max_core_hours, "hours at most": policy.max_wall_hours}
    return {name: f"{value:g}" for name, value in limits.items() if value is not None}


def _lengths(cell: Atoms) -> str:
    return " x ".join(f"{length:.3f}" for length in cell.cell.lengths())
