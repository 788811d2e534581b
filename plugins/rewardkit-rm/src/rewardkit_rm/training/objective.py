"""The loss of a batch under the settings of a run, and what is counted beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rewardkit_rm.losses import bradley_terry, centering, classification, mean_squared, rao_kupper, soft_label
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.training.config import LossKind, TrainConfig

__all__ = ["Figures", "Objective", "Tally", "targets_of", "uses_ties"]

_SUMS = 8


def uses_ties(kind: LossKind) -> bool:
    """Tell whether a loss learns from pairs without a better side.

    >>> uses_ties("bradley_terry"), uses_ties("rao_kupper")
    (False, True)
    """
    return kind in ("mean_squared", "rao_kupper", "soft_label")


def targets_of(pair: Pair) -> tuple[float, float, float, float]:
    """Return what a loss wants to know of a pair: tie, probability, margin, weight.

    A pair marked as a tie that says nothing else of its probability has 0.5.

    >>> targets_of(Pair("2+2?", "4", "5", margin=0.5))
    (0.0, 1.0, 0.5, 1.0)
    """
    tied = pair.tie or pair.probability == 0.5
    probability = 0.5 if pair.tie and pair.probability == 1 else pair.probability
    return float(tied), probability, pair.margin or 0.0, pair.weight


@dataclass(frozen=True)
class Objective:
    """What a run minimises.

    Attributes:
        kind: The loss of a pair, see `rewardkit_rm.losses`.
        centering: Coefficient of the centring term.
        margin: Whether margins count.
        theta: θ of the tie model.
    """

    kind: LossKind
    centering: float
    margin: bool
    theta: float

    @classmethod
    def of(cls, config: TrainConfig) -> Objective:
        """Return the objective of a config."""
        return cls(config.loss.kind, config.centering, config.loss.margin, config.theta)

    def losses(self, chosen: Tensor, rejected: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each pair, shape ``(B,)``, times its weight, with the centring term.

        Args:
            chosen: Scores of the preferred sides, shape ``(B,)``.
            rejected: Scores of the others.
            targets: What `targets_of` says of each pair, shape ``(B, 4)``.
        """
        losses = self.bare(chosen, rejected, targets)
        if self.centering:
            losses = losses + self.centering * centering(chosen, rejected)
        return losses * targets[:, 3]

    def bare(self, chosen: Tensor, rejected: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each pair without weight and centring term, shape ``(B,)``."""
        tie, probability, margin = targets[:, 0] > 0, targets[:, 1], targets[:, 2]
        kinds: dict[LossKind, Callable[[], Tensor]] = {
            "bradley_terry": lambda: bradley_terry(chosen, rejected, margin if self.margin else None),
            "classification": lambda: classification(chosen, rejected),
            "mean_squared": lambda: mean_squared(chosen, rejected, tie),
            "rao_kupper": lambda: rao_kupper(chosen, rejected, tie, self.theta),
            "soft_label": lambda: soft_label(chosen, rejected, probability),
        }
        return kinds[self.kind]()


@dataclass(frozen=True)
class Figures:
    """What is said of some pairs.

    Attributes:
        pairs: How many there are.
        decided: How many of them have a better side.
        accuracy: Share of the decided ones whose chosen score is strictly above; nan without any.
        tied: Share of all whose two scores are exactly equal.
        margin: Mean of chosen minus rejected score over the decided ones; nan without any.
        loss: Mean loss, with weights and centring term.
        gain: How much lower the bare loss is than if both sides of a pair had their mean as score: at a loss of
            ln 2, 0 for Bradley-Terry.
        level: Mean score of both sides.
    """

    pairs: int
    decided: int
    accuracy: float
    tied: float
    margin: float
    loss: float
    gain: float
    level: float

    @property
    def accuracy_error(self) -> float:
        """Standard error of the accuracy of so many independent pairs, at least as large as if it were 90 %."""
        share = min(max(self.accuracy, 0.1), 0.9)
        return math.sqrt(share * (1 - share) / self.decided) if self.decided else math.inf


class Tally:
    """Sums over pairs, from which `Figures` are made; they stay on the device until somebody asks.

    Args:
        sums: What to start from, as ``sums`` of another one.
    """

    def __init__(self, sums: Tensor | None = None) -> None:
        self.sums = torch.zeros(_SUMS) if sums is None else sums

    def add(self, objective: Objective, chosen: Tensor, rejected: Tensor, targets: Tensor) -> None:
        """Count a batch of pairs; arguments as of `Objective.losses`."""
        chosen, rejected = chosen.detach(), rejected.detach()
        middle = (chosen + rejected) / 2
        decided = targets[:, 0] == 0
        rows = [
            torch.ones_like(chosen),
            decided,
            decided & (chosen > rejected),
            chosen == rejected,
            decided * (chosen - rejected),
            objective.losses(chosen, rejected, targets),
            objective.bare(middle, middle, targets) - objective.bare(chosen, rejected, targets),
            middle,
        ]
        precise = torch.float64 if chosen.device.type == "cpu" else torch.float32  # not every device has float64
        batch = torch.stack([row.to(precise).sum() for row in rows])
        self.sums = self.sums.to(batch) + batch

    def figures(self) -> Figures:
        """Return what is known of the pairs so far."""
        pairs, decided, correct, tied, margin, loss, gain, level = self.sums.tolist()
        share, share_decided = 1 / pairs if pairs else math.nan, 1 / decided if decided else math.nan
        return Figures(
            pairs=round(pairs),
            decided=round(decided),
            accuracy=correct * share_decided,
            tied=tied * share,
            margin=margin * share_decided,
            loss=loss * share,
            gain=gain * share,
            level=level * share,
        )
