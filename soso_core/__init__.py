"""Spin-lattice models of magnetic crystals: data, descriptors, Gaussian process, engines.

The package needs no AiiDA.  Units: eV, Å, fs, K, μB (docs/conventions.md).  The names below are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soso_core.active.candidates.settings import ExploreSettings as ExploreSettings
    from soso_core.active.selection.batch import first_batch as first_batch
    from soso_core.active.selection.batch import next_batch as next_batch
    from soso_core.compiled.model import CompiledModel as CompiledModel
    from soso_core.configuration import Configuration as Configuration
    from soso_core.dataset import Dataset as Dataset
    from soso_core.dynamics.monte_carlo.simulation import MonteCarloSettings as MonteCarloSettings
    from soso_core.dynamics.monte_carlo.simulation import sample as sample
    from soso_core.dynamics.spin_energy import SpinModel as SpinModel
    from soso_core.errors import ConvergenceError as ConvergenceError
    from soso_core.errors import InputError as InputError
    from soso_core.errors import SosoError as SosoError
    from soso_core.formats import read_configurations as read_configurations
    from soso_core.formats import read_dataset as read_dataset
    from soso_core.formats import read_structure as read_structure
    from soso_core.formats import write_configurations as write_configurations
    from soso_core.formats import write_dataset as write_dataset
    from soso_core.gp.assessment.evaluation import Evaluation as Evaluation
    from soso_core.gp.assessment.evaluation import evaluate as evaluate
    from soso_core.gp.inference.defaults import choose_settings as choose_settings
    from soso_core.gp.inference.regression import fit as fit
    from soso_core.gp.inference.regression import update as update
    from soso_core.gp.model.fitted import FittedModel as FittedModel
    from soso_core.gp.model.fitted import Prediction as Prediction
    from soso_core.gp.model.model_file import load_model as load_model
    from soso_core.gp.model.model_file import save_model as save_model
    from soso_core.gp.model.settings import FitSettings as FitSettings
    from soso_core.interfaces.ase import SosoCalculator as SosoCalculator
    from soso_core.labels import LabelledConfiguration as LabelledConfiguration

__version__ = "0.1.0"

_NAMES = {
    "active.candidates.settings": ["ExploreSettings"],
    "active.selection.batch": ["first_batch", "next_batch"],
    "compiled.model": ["CompiledModel"],
    "configuration": ["Configuration"],
    "dataset": ["Dataset"],
    "dynamics.monte_carlo.simulation": ["MonteCarloSettings", "sample"],
    "dynamics.spin_energy": ["SpinModel"],
    "errors": ["ConvergenceError", "InputError", "SosoError"],
    "formats": ["read_configurations", "read_dataset", "read_structure", "write_configurations", "write_dataset"],
    "gp.assessment.evaluation": ["Evaluation", "evaluate"],
    "gp.inference.defaults": ["choose_settings"],
    "gp.inference.regression": ["fit", "update"],
    "gp.model.fitted": ["FittedModel", "Prediction"],
    "gp.model.model_file": ["load_model", "save_model"],
    "gp.model.settings": ["FitSettings"],
    "interfaces.ase": ["SosoCalculator"],
    "labels": ["LabelledConfiguration"],
}
_MODULES = {name: f"soso_core.{module}" for module, names in _NAMES.items() for name in names}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    """Import a name from its module when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'soso_core' has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    """Return the public names and those that are set."""
    return sorted({*globals(), *__all__})
