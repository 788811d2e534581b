"""transformers' Trainer for pairs: the loss of two scores, evaluation over pairs, checkpoints that survive a kill."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import EvalPrediction, Trainer

from rewardkit_rm.training.checkpoints import Checkpoints, write_atomically
from rewardkit_rm.training.diagnosis import SETTLED_PAIRS, stuck
from rewardkit_rm.training.errors import TrainingError
from rewardkit_rm.training.objective import Figures, Objective, Tally
from rewardkit_rm.training.progress import Progress
from rewardkit_rm.training.state import RunState

__all__ = ["PairTrainer", "load_weights"]

_WEIGHTS = "model.safetensors"
_STATE = "run_state.json"
_FIGURES = tuple(field.name for field in fields(Figures))


class PairTrainer(Trainer):
    """Train a model that maps a batch to the scores of the chosen sides, then of the rejected ones.

    Only what learns is in a checkpoint: the rest is read from the base model.

    Args:
        objective: What is minimised.
        checkpoints: Where checkpoints are.
        run: The state of the run, new or from a checkpoint.
        patience: Evaluations without a better accuracy before training ends.
        progress: Told what goes on.
        **arguments: Of transformers' Trainer.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        checkpoints: Checkpoints,
        run: RunState,
        patience: int | None,
        progress: Progress,
        **arguments: Any,
    ) -> None:
        self.objective: Objective = objective
        self.checkpoints, self.run = checkpoints, run
        self.patience, self.progress = patience, progress
        self._window, self._recent = Tally(), Tally()
        self._step_loss = torch.tensor(0.0)
        super().__init__(compute_metrics=self._metrics, **arguments)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Return the mean loss of a batch of pairs."""
        chosen, rejected = _scores(model, inputs)
        self._window.add(self.objective, chosen, rejected, inputs["targets"])
        loss: Tensor = self.objective.losses(chosen, rejected, inputs["targets"]).mean()
        self._step_loss = self._step_loss.to(loss.device) + loss.detach()
        return loss

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[None, Tensor, Tensor]:
        """Return the scores of both sides, shape ``(B, 2)``, and the targets."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            scores = torch.stack(_scores(model, inputs), dim=1)
        return None, scores.float(), inputs["targets"]

    def _metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        scores = torch.from_numpy(prediction.predictions).double()
        targets = torch.from_numpy(prediction.label_ids).double()
        tally = Tally()
        tally.add(self.objective, scores[:, 0], scores[:, 1], targets)
        return asdict(tally.figures())

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Evaluate on every set, then decide what follows."""
        metrics: dict[str, float] = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        if eval_dataset is None and isinstance(self.eval_dataset, dict):
            figures = {name: _figures(metrics, f"{metric_key_prefix}_{name}_") for name in self.eval_dataset}
            self._decide({"train": self._recent.figures()} | figures)
            self._recent = Tally()
        return metrics

    def _decide(self, figures: Mapping[str, Figures]) -> None:
        step = self.state.global_step
        for name, found in figures.items():
            if name != "train" and not math.isfinite(found.loss):
                self._stop(f"the loss of the pairs of {name} is {found.loss}", step)
        note = self.run.evaluated(step, figures, self.patience)
        for name, found in figures.items():
            if name != "train":
                self.progress.evaluated(step, name, asdict(found), note if name == "validation" else "")
        self.control.should_training_stop |= self.run.stopped

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        """Return the norm of the gradient; stop before a step that would spoil the weights."""
        norm = super()._get_grad_norm(model, grad_norm)  # type: ignore[no-untyped-call]
        loss, self._step_loss = float(self._step_loss), torch.tensor(0.0)
        scaled = getattr(self.accelerator, "scaler", None) is not None  # with it a step is skipped, not taken
        if not scaled and not (math.isfinite(loss) and math.isfinite(float(norm or 0))):
            reason = f"the loss is {loss:.4g} and the norm of its gradient {float(norm or 0):.4g}"
            self._stop(reason, self.state.global_step + 1)
        return norm

    def _stop(self, reason: str, step: int) -> NoReturn:
        last, _ = self.checkpoints.latest()
        kept = f"the checkpoint of step {last} is kept" if last else "there is no checkpoint yet"
        raise TrainingError(
            f"{reason} at step {step}; training stops, {kept}. Likely: a learning rate that is too high, or a backbone "
            "in float16"
        )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with accuracy and margin of the pairs trained on since the last time."""
        if "loss" in logs:
            figures = self._drained()
            more = {name: getattr(figures, name) for name in ("accuracy", "margin", "tied", "level")}
            logs |= {name: value for name, value in more.items() if math.isfinite(value)}
            self.progress.training(self.state.global_step, logs)
        for name in [name for name in logs if name.endswith(("_runtime", "_per_second", "_preparation_time"))]:
            del logs[name]  # they differ from run to run, and say little
        super().log(logs, start_time)

    def _drained(self) -> Figures:
        """Return the figures since the last log line, over all devices, and begin anew."""
        sums = self.accelerator.reduce(self._window.sums.to(self.args.device, torch.float32), "sum").cpu().double()
        self._window = Tally()
        self._recent.sums = self._recent.sums + sums
        if self.state.global_step > self.args.get_warmup_steps(self.state.max_steps):
            self._watch(sums)
        return Tally(sums).figures()

    def _watch(self, sums: Tensor) -> None:
        """Look whether the loss is stuck, each time that enough pairs have come together."""
        settled = sums if self.run.settled is None else sums + torch.tensor(self.run.settled, dtype=sums.dtype)
        figures = Tally(settled).figures()
        if figures.pairs < SETTLED_PAIRS:
            self.run.settled = settled.tolist()
            return
        before, self.run.stuck, self.run.settled = self.run.stuck, stuck(figures), None
        if self.run.stuck and not before:
            self.progress.say(f"warning: {self.run.stuck}")

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Save a checkpoint and mark it complete; only then remove the one before."""
        step = self.state.global_step
        last, _ = self.checkpoints.latest()
        try:
            self._write_checkpoint(model, trial, step)
        except (OSError, SafetensorError, RuntimeError) as error:
            kept = f"that of step {last} is kept" if last else "there was none before"
            raise TrainingError(f"the checkpoint of step {step} cannot be saved: {error}; {kept}") from error
        if self.args.should_save:
            self.checkpoints.keep(step, self.run.best_step)

    def _write_checkpoint(self, model: nn.Module, trial: Any, step: int) -> None:
        if self.args.should_save:
            self.checkpoints.discard(step)
        self.accelerator.wait_for_everyone()
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            write_atomically(self.checkpoints.path(step) / _STATE, self.run.model_dump_json(indent=1))
            self.checkpoints.complete(step)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if state_dict is not None:  # gathered from the shards of several devices
            super()._save(output_dir, state_dict)
        elif self.args.should_save:
            folder = Path(str(output_dir or self.args.output_dir))
            folder.mkdir(parents=True, exist_ok=True)
            save_file(_learned(self.accelerator.unwrap_model(self.model)), folder / _WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            load_weights(self.accelerator.unwrap_model(self.model), Path(resume_from_checkpoint))


def read_state(folder: Path) -> RunState:
    """Return the state of the run in a checkpoint."""
    return RunState.model_validate_json((folder / _STATE).read_bytes())


def load_weights(model: nn.Module, folder: Path) -> None:
    """Load what learns from a checkpoint.

    Raises:
        TrainingError: If it does not have the weights that learn.
    """
    try:
        weights = load_file(folder / _WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{folder / _WEIGHTS} cannot be read: {error}") from error
    learned = {name: tuple(weight.shape) for name, weight in _learned(model).items()}
    found = {name: tuple(weight.shape) for name, weight in weights.items()}
    differing = sorted(name for name, shape in learned.items() if found.get(name) != shape)
    if differing:
        name = differing[0]
        raise TrainingError(f"{folder / _WEIGHTS} does not belong to this model: they differ in {name}")
    model.load_state_dict(weights, strict=False)


def _learned(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().contiguous() for name, weight in model.named_parameters() if weight.requires_grad}


def _scores(model: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the scores of the chosen and the rejected sides, shape ``(B,)`` each."""
    columns = {name: column for name, column in inputs.items() if name != "targets"}
    scores = model(columns["features"]) if "features" in columns else model(**columns)
    chosen, rejected = scores.chunk(2)
    return chosen, rejected


def _figures(metrics: Mapping[str, float], prefix: str) -> Figures:
    return Figures(**{name: metrics[prefix + name] for name in _FIGURES})  # type: ignore[arg-type]
