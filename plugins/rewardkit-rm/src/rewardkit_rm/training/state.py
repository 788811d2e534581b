"""What a run remembers beside weights and optimiser; a part of every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from rewardkit_rm.training.objective import Figures

__all__ = ["RunState"]


class RunState(BaseModel):
    """The best evaluation so far, patience, and what a person should look at.

    Attributes:
        best_step: The step with the best validation accuracy, among equals the one with the lowest loss; None where
            there was no validation.
        best: Figures by set at that step; those of ``train`` are of pairs trained on since the evaluation before.
        latest: The same at the last evaluation.
        flat: Evaluations since the best one.
        stopped: Whether patience has ended.
        seconds: Training time so far.
        stuck: What `stuck` says of the loss; empty where it falls.
        settled: Sums over pairs trained on after the warm-up (see `Tally`), from which a stuck loss is told.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True, ser_json_inf_nan="constants")

    best_step: int | None = None
    best: dict[str, Figures] = Field(default_factory=dict)
    latest: dict[str, Figures] = Field(default_factory=dict)
    flat: int = 0
    stopped: bool = False
    seconds: float = 0.0
    stuck: str = ""
    settled: list[float] | None = None

    def evaluated(self, step: int, figures: Mapping[str, Figures], patience: int | None) -> str:
        """Take note of an evaluation, and say what follows of it."""
        self.latest = dict(figures)
        if "validation" not in figures:
            return ""
        if "validation" not in self.best or _rank(figures["validation"]) > _rank(self.best["validation"]):
            self.best_step, self.best, self.flat = step, dict(figures), 0
            return "best so far"
        self.flat += 1
        self.stopped = patience is not None and self.flat >= patience
        return f"no better {self.flat} times" + (": stops here" if self.stopped else "")


def _rank(figures: Figures) -> tuple[float, float]:
    return figures.accuracy if figures.decided else 0.0, -figures.loss
