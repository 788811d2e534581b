"""The training card: what a model was trained on, with what, and what came of it."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict

from rewardkit_rm.training.objective import Figures
from rewardkit_rm.training.pairset import Counts

__all__ = ["DataCard", "TrainingCard", "figures_for_card", "versions"]

_PACKAGES = ("rewardkit", "rewardkit-rm", "torch", "transformers", "accelerate")


class DataCard(BaseModel):
    """One set of pairs.

    Attributes:
        hash: Of its pairs, whatever their order; see `rewardkit_rm.pairs.reading.pairs_hash`.
        files: Where they came from; empty for a part of the training files, and for pairs in memory.
        counts: What became of them.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    hash: str
    files: list[str]
    counts: Counts


class TrainingCard(BaseModel):
    """What ``training_card.json`` says.

    Attributes:
        trained: What learned, in words.
        parameters: How many numbers learned.
        steps: Steps taken.
        best_step: The step whose weights were kept; the last one where there was no validation.
        ended: ``epochs`` or ``patience``.
        seconds: Training time, without reading, encoding and embedding.
        accuracy: By set at that step; None where no pair is decided. Of ``train`` while training, since the evaluation
            before.
        metrics: The other figures by set, see `Figures`.
        last: Figures by set at the last step.
        warnings: What a person should look at.
        data: The sets of pairs.
        settings: The config with what was in force where nothing was set.
        versions: Of Python and the packages.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    trained: str
    parameters: int
    steps: int
    best_step: int
    ended: str
    seconds: float
    accuracy: dict[str, float | None]
    metrics: dict[str, dict[str, float | int | None]]
    last: dict[str, dict[str, float | int | None]]
    warnings: list[str]
    data: dict[str, DataCard]
    settings: dict[str, Any]
    versions: dict[str, str]


def figures_for_card(figures: Mapping[str, Figures]) -> dict[str, dict[str, float | int | None]]:
    """Return figures by set; None for a share of nothing, which JSON cannot hold as nan."""
    return {
        name: {key: value if math.isfinite(value) else None for key, value in asdict(found).items()}
        for name, found in figures.items()
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide what comes of a run."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
