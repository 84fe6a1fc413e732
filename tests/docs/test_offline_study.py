"""The pool of the rehearsal is what the page says it was made by."""

import numpy as np
import yaml
from pages import ROOT, blocks

from soso_core.active.candidates.settings import ExploreSettings
from soso_core.active.selection.batch import first_batch
from soso_core.engines.tight_binding import TightBindingSettings, label
from soso_core.formats import read_dataset, read_structure
from soso_core.settings import parse_settings

PAGE = ROOT / "docs" / "howto" / "offline_study.md"
CAMPAIGNS = ROOT / "workchains" / "campaigns"


def test_the_pool_is_made_as_the_page_says():
    (text,) = (block.text for block in blocks(PAGE) if block.text.startswith("# pool.yaml"))
    settings = parse_settings(ExploreSettings, yaml.safe_load(text), "pool.yaml")
    batch = first_batch(read_structure(CAMPAIGNS / settings.structure), settings)
    pool = read_dataset(CAMPAIGNS / "bcc_fe_pool.extxyz")
    assert len(batch) == len(pool) == 40
    for candidate, item in zip(batch, pool, strict=True):
        np.testing.assert_allclose(item.configuration.positions_ac, candidate.configuration.positions_ac, atol=1e-12)
        # The iteration ends within 1e-5 rad of the directions asked for; the label has those it achieved.
        np.testing.assert_allclose(item.configuration.spins_ac, candidate.configuration.spins_ac, atol=1e-5)
    again = label(batch[0].configuration, TightBindingSettings(k_mesh=(4, 4, 4)))
    assert abs(again.energy - pool[0].energy) < 1e-6  # eV: the tolerance of the self-consistency
