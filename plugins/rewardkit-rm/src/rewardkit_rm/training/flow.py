"""When a run logs, evaluates and saves, and what it writes into its history."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rewardkit_rm.training.progress import Progress
from rewardkit_rm.training.state import RunState

__all__ = ["Flow"]

_LOG_EVERY = 10
_SUMMARY = ("train_loss", "total_flos")
"""Trainer's figures at the end: of the last part of a resumed run only."""


class Flow(TrainerCallback):
    """Evaluate and save every so many steps and at the end; log then, and every ten steps between.

    A log line comes before every checkpoint, so that no sums are under way in one: a resumed run logs the same.

    Args:
        every: Steps between evaluations.
        run: The state of the run, whose time is kept here.
        history: A file of JSON lines, one a log line.
        progress: Told what goes on.
    """

    def __init__(self, every: int, run: RunState, history: Path, progress: Progress) -> None:
        self.every, self.run, self.history, self.progress = every, run, history, progress
        self._start = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Cut the history back to the checkpoint."""
        self._start = time.monotonic() - self.run.seconds
        self.progress.stage("training", state.max_steps, state.global_step)
        if state.is_world_process_zero:
            self.history.write_text("".join(map(_line, state.log_history)), encoding="utf-8")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Decide what follows a step."""
        since = state.global_step % self.every
        due = since == 0 or state.global_step >= state.max_steps
        control.should_log = due or since % _LOG_EVERY == 0
        control.should_evaluate = control.should_save = due
        self.run.seconds = time.monotonic() - self._start
        self.progress.advance()
        return control

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write the last log line into the history."""
        if state.is_world_process_zero:
            with self.history.open("a", encoding="utf-8") as file:
                file.write(_line(state.log_history[-1]))


def _line(entry: dict[str, Any]) -> str:
    """Return a log line as it stands in the history; nothing where it says nothing but the step."""
    figures = {key: value for key, value in sorted(entry.items()) if key not in (*_SUMMARY, "epoch", "step")}
    where = {key: entry[key] for key in ("step", "epoch") if key in entry}
    return json.dumps(where | figures) + "\n" if figures else ""
