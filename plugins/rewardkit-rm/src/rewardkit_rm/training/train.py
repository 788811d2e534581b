"""Train a reward model: read pairs, encode them, run transformers' Trainer, keep the best model with its card."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from safetensors import SafetensorError
from torch import nn
from transformers import PrinterCallback, TrainingArguments

from rewardkit_rm.models.loading import build, save
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.reading import pairs_hash
from rewardkit_rm.training.card import DataCard, TrainingCard, figures_for_card, versions
from rewardkit_rm.training.checkpoints import write_atomically
from rewardkit_rm.training.config import TrainConfig, load_config
from rewardkit_rm.training.diagnosis import overfitting
from rewardkit_rm.training.errors import TrainingError
from rewardkit_rm.training.features import embed_texts
from rewardkit_rm.training.flow import Flow
from rewardkit_rm.training.objective import Objective
from rewardkit_rm.training.output import Output
from rewardkit_rm.training.pairset import PairSet, TokenCollator, collate_features, encode_pairs
from rewardkit_rm.training.progress import Progress
from rewardkit_rm.training.sets import read_sets
from rewardkit_rm.training.state import RunState
from rewardkit_rm.training.trainer import PairTrainer, load_weights, read_state

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TrainingResult", "train"]

_EVALUATIONS_PER_EPOCH = 4
_FEWEST_STEPS = 10
_TRAINED = {
    "head": "a head on frozen features",
    "last_layers": "the head and the last layers",
    "lora": "the head and low-rank adapters",
    "full": "the whole model",
}


@dataclass(frozen=True)
class TrainingResult:
    """What came of a run: the model with the weights of the best step, its card, and the folder it was saved to."""

    scorer: Scorer
    card: TrainingCard
    folder: Path


def train(
    config: TrainConfig | Mapping[str, Any] | str | Path,
    data: str | Path | Iterable[Any] | None = None,
    output: str | Path = "reward-model",
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a reward model and save it.

    For a seed, a number of threads and these versions of the packages, the same weights come out on a CPU bit for bit,
    also where the run was killed and resumed in between.

    Args:
        config: What to train and how; see `load_config`.
        data: Pairs to train on in place of ``data.train``: files, or rows in memory (see `read_pairs`).
        output: A folder that does not exist or is empty, unless ``resume`` or ``overwrite`` is given.
        resume: Go on with the last complete checkpoint of the folder; start where there is none.
        overwrite: Throw away the run that the folder holds.
        progress: Told what goes on.

    Returns:
        The model with the weights of the best evaluation, which `rewardkit_rm.models.loading.load` also loads from
        the folder.

    Raises:
        ConfigError: If the config is wrong.
        BatchError: If pairs cannot be read.
        ModelError: If the base model cannot be read or saved.
        TrainingError: If there is nothing to learn from, the folder is taken, the loss becomes nan, or a checkpoint
            cannot be saved.
    """
    files, rows = _paths(data)
    config = load_config(config, files)
    folder = Output(Path(output))
    arguments = _arguments(config, folder)
    progress = progress if progress is not None and arguments.should_save else Progress()
    with arguments.main_process_first():
        if arguments.should_save:
            folder.refuse_taken(resume, overwrite)
    pairs = read_sets(config, rows, progress)
    scorer = build(config.model, config.training.seed)
    with arguments.main_process_first():
        if arguments.should_save:  # a base that is not there has left nothing behind
            hashes = {name: pairs_hash(part) for name, part in pairs.items()}
            folder.claim(config.resolved(), hashes, overwrite)
    sets = {name: _encoded(name, part, scorer, config, progress) for name, part in pairs.items()}
    run = _Run(config, folder, scorer, sets, arguments, progress)
    run.train()
    card = run.card({name: pairs_hash(part) for name, part in pairs.items()})
    if arguments.should_save:
        _save(run.scorer, card, folder)
    return TrainingResult(run.scorer, card, folder.folder)


def _paths(data: str | Path | Iterable[Any] | None) -> tuple[list[str | Path], Iterable[Any] | None]:
    """Return files, or rows."""
    if isinstance(data, str | Path):
        return [data], None
    if data is None or (isinstance(data, list | tuple) and all(isinstance(one, str | Path) for one in data)):
        return list(data or ()), None
    return [], data


def _encoded(name: str, pairs: list[Pair], scorer: Scorer, config: TrainConfig, progress: Progress) -> PairSet:
    progress.stage(f"encoding {name}", len(pairs))
    found = encode_pairs(name, pairs, scorer.encoder, config.loss.kind, progress.advance)
    if told := found.counts.told():
        progress.say(f"{name}: {told}")
    if not found.counts.used:
        raise TrainingError(f"no pair of {name} can be used: {told}")
    return found


class _Run:
    """One run: the trainer, put together, and what it comes to."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Output,
        scorer: Scorer,
        sets: dict[str, PairSet],
        arguments: TrainingArguments,
        progress: Progress,
    ) -> None:
        self.config, self.folder, self.scorer, self.sets = config, folder, scorer, sets
        self.arguments, self.progress = arguments, progress
        self.state = RunState()
        self.steps = 0
        self.sharded = False

    @property
    def network(self) -> nn.Module:
        """What is trained: the model, or its head alone on stored features."""
        return self.scorer.model.head if self.config.model.train == "head" else self.scorer.model

    def train(self) -> None:
        """Train to the end from where the folder is, and load the best weights."""
        step, skipped = self.folder.checkpoints.latest()
        for other, problem in sorted(skipped.items()):
            self.progress.say(f"the checkpoint of step {other} is not used: {problem}")
        path = None if step is None else self.folder.checkpoints.path(step)
        if path is not None:
            self.state = read_state(path)
            self.progress.say(f"going on with the checkpoint of step {step}")
        self._embed()
        if self.state.stopped:
            self.steps = step or 0
        else:
            self.steps = self._train(path)
        if self.sharded:  # the devices hold parts of the model: the whole one is put together again
            self.scorer = build(self.config.model, self.config.training.seed, device="cpu")
        load_weights(self.network, self.folder.checkpoints.path(self.state.best_step or self.steps))
        self.scorer.model.eval()

    def _embed(self) -> None:
        """Run a frozen backbone once over every text."""
        if self.config.model.train != "head":
            return
        for found in self.sets.values():
            self.progress.stage(f"embedding {found.name}", len(found.texts))
            with self.arguments.main_process_first():
                found.content = embed_texts(self.scorer, found.texts, self.folder.embeddings, self.progress.advance)

    def _train(self, checkpoint: Path | None) -> int:
        training, sets = self.config.training, dict(self.sets)
        train = sets.pop("train")
        steps = math.ceil(len(train) / training.batch_size)
        every = training.eval_every or max(_FEWEST_STEPS, steps // _EVALUATIONS_PER_EPOCH)
        head_only = self.config.model.train == "head"
        if training.gradient_checkpointing and not head_only:
            _checkpoint_activations(self.scorer.model.body)
        with _refused():
            trainer = PairTrainer(
                objective=Objective.of(self.config),
                checkpoints=self.folder.checkpoints,
                run=self.state,
                patience=training.patience,
                progress=self.progress,
                model=self.network,
                args=self.arguments,
                data_collator=collate_features if head_only else TokenCollator(self.scorer.encoder),
                train_dataset=train,
                eval_dataset=sets,
                callbacks=[Flow(every, self.state, self.folder.history, self.progress)],
            )
        trainer.remove_callback(PrinterCallback)
        self.sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
        if trainer.is_fsdp_enabled:  # one file with all weights, whatever the number of devices
            trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        try:
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"out of memory: {str(error).splitlines()[0]} More gradient_accumulation, gradient_checkpointing, a "
                "shorter model.encoding.max_length or bf16 need less; --resume cannot change them, --overwrite can"
            ) from error
        return trainer.state.global_step

    def card(self, hashes: Mapping[str, str]) -> TrainingCard:
        """Return the card of the run."""
        config, figures = self.config, self.state.best or self.state.latest
        files = {"train": config.data.train, "validation": config.data.validation} | config.data.other_domains
        return TrainingCard(
            trained=_TRAINED[config.model.train],
            parameters=sum(weight.numel() for weight in self.network.parameters() if weight.requires_grad),
            steps=self.steps,
            best_step=self.steps if self.state.best_step is None else self.state.best_step,
            ended="patience" if self.state.stopped else "epochs",
            seconds=round(self.state.seconds, 3),
            accuracy={name: found["accuracy"] for name, found in figures_for_card(figures).items()},
            metrics=figures_for_card(figures),
            last=figures_for_card(self.state.latest),
            warnings=[*filter(None, [self.state.stuck]), *overfitting(figures)],
            data={
                name: DataCard(hash=hashes[name], files=list(files.get(name, [])), counts=found.counts)
                for name, found in self.sets.items()
            },
            settings=config.resolved(),
            versions=versions(),
        )


def _arguments(config: TrainConfig, folder: Output) -> TrainingArguments:
    training = config.training
    has_gpu = torch.cuda.is_available()
    with _refused():
        arguments = TrainingArguments(
            output_dir=str(folder.checkpoints.folder),
            gradient_accumulation_steps=training.gradient_accumulation,
            learning_rate=config.learning_rate,
            weight_decay=training.weight_decay,
            max_grad_norm=training.clip,
            num_train_epochs=config.epochs,
            lr_scheduler_type=training.schedule if training.schedule != "constant" else "constant_with_warmup",
            warmup_steps=training.warmup,
            seed=training.seed,
            data_seed=training.seed,
            bf16=training.bf16,
            use_cpu=not torch.accelerator.is_available(),  # else processes on CPUs would not find each other
            report_to=training.report_to or "none",
            logging_strategy="no",
            logging_nan_inf_filter=False,
            eval_strategy="no",
            save_strategy="no",
            remove_unused_columns=False,
            dataloader_pin_memory=has_gpu,
            disable_tqdm=True,
        )
    parts = arguments.world_size * max(1, arguments.n_gpu) * training.gradient_accumulation
    if training.batch_size % parts:
        raise TrainingError(
            f"training.batch_size {training.batch_size} must be a multiple of {parts}, the number of devices times "
            "training.gradient_accumulation"
        )
    arguments.per_device_train_batch_size = training.batch_size // parts
    arguments.per_device_eval_batch_size = training.batch_size // parts
    return arguments


@contextmanager
def _refused() -> Iterator[None]:
    """Word what transformers says of settings: a tracker that is not installed, a device without bfloat16."""
    try:
        yield
    except (ImportError, RuntimeError, ValueError) as error:
        raise TrainingError(f"training cannot start: {error}") from error


def _checkpoint_activations(body: Any) -> None:
    enable = getattr(body, "activation_checkpointing_enable", None) or body.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def _save(scorer: Scorer, card: TrainingCard, folder: Output) -> None:
    try:
        save(scorer, folder.folder)
        write_atomically(folder.settings, yaml.safe_dump(card.settings, sort_keys=False, allow_unicode=True))
        write_atomically(folder.card, card.model_dump_json(indent=2) + "\n")
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"{folder.folder}: the model cannot be saved: {error}; its checkpoints are kept, --resume saves it again"
        ) from error
