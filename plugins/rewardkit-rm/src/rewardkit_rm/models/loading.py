"""Make, load and save reward models.

Public names::

    build(settings: ModelSettings, seed: int = 0, *, device: str = "auto") -> Scorer      a new head
    load(path, *, device="auto", dtype="auto", trust_remote_code=False) -> Scorer         a folder, or the hub
    save(scorer: Scorer, folder) -> str                                                   the digest
    read_card(folder) -> SavedModel                                                       what reward_model.json says
"""

from __future__ import annotations

from rewardkit_rm.models.building import build
from rewardkit_rm.models.opening import load
from rewardkit_rm.models.saving import SavedModel, read_card, save

__all__ = ["SavedModel", "build", "load", "read_card", "save"]
