"""``rewardkit rm train``: a reward model from a config and preference pairs."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewardkit.cli.screen import console, count, figure, percent, table, tell

if TYPE_CHECKING:
    from rewardkit_rm.training.card import TrainingCard
    from rewardkit_rm.training.progress import Progress

__all__ = ["train"]


@click.command()
@click.argument("config", metavar="CONFIG")
@click.argument("data", nargs=-1, metavar="DATA...")
@click.option("-o", "--output", metavar="DIR", required=True, help="Folder for the model; new or empty.")
@click.option("--resume", is_flag=True, help="Go on with the last checkpoint in DIR; start where there is none.")
@click.option("--overwrite", is_flag=True, help="Throw away the run that DIR holds.")
@click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change a setting, as in training.learning_rate=1e-4. Repeatable.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no evaluations; warnings and the table only.")
def train(
    config: str,
    data: tuple[str, ...],
    output: str,
    resume: bool,
    overwrite: bool,
    overrides: tuple[str, ...],
    quiet: bool,
) -> None:
    """Train a reward model on preference pairs.

    CONFIG is a YAML file: the model, the pairs, the loss, the optimisation; only model.base must be there. DATA are
    files of pairs (JSON lines, gzip of these, Parquet, folders of datasets) and replace data.train of the config.

    While it trains, every evaluation writes a checkpoint into DIR/checkpoints. After a kill or Ctrl-C, the same
    command with --resume goes on and ends with the same weights. The weights of the best evaluation are kept.

    \b
    Example:
      rewardkit rm train examples/rm/minilm-head.yaml pairs.jsonl --output my-rm
      rewardkit rm train lora.yaml --output my-rm --set training.epochs=1 --set loss.margin=true
      accelerate launch --num-processes 8 -m rewardkit.cli rm train full.yaml pairs.jsonl --output my-rm
    """  # noqa: D301
    from rewardkit_rm.training.config import load_config

    settings = load_config(config, data, overrides)
    with _shown(quiet) as progress:
        progress.stage("loading torch", 1)
        from rewardkit_rm.training.train import train as train_model

        try:
            trained = train_model(settings, output=output, resume=resume, overwrite=overwrite, progress=progress)
        except KeyboardInterrupt:
            tell(_kept(output))
            raise
    if os.environ.get("RANK", "0") == "0":  # of several processes the first one speaks
        _print(trained.card, trained.folder)


def _kept(output: str) -> str:
    from rewardkit_rm.training.checkpoints import Checkpoints

    step, _ = Checkpoints(Path(output, "checkpoints")).latest()
    if step is None:
        return "stopped before the first checkpoint; --resume starts again"
    return f"the checkpoint of step {step} is kept; the same command with --resume goes on"


@contextmanager
def _shown(quiet: bool) -> Iterator[Progress]:
    """Show progress on stderr: a bar on a terminal, a line for every evaluation."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    screen = console(stderr=True)
    parts = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[figures]}"))
    with Progress(
        *parts, TimeRemainingColumn(), console=screen, transient=True, disable=quiet or not screen.is_terminal
    ) as bar:
        yield _screen(bar, quiet)


def _screen(bar: Any, quiet: bool) -> Progress:
    from rewardkit_rm.training.progress import Progress

    class Screen(Progress):
        def __init__(self) -> None:
            self.task: Any = None

        def stage(self, name: str, total: int, done: int = 0) -> None:
            if self.task is not None:
                bar.remove_task(self.task)
            self.task = bar.add_task(name, total=total, completed=done, figures="")

        def advance(self, by: int = 1) -> None:
            bar.advance(self.task, by)

        def training(self, step: int, figures: Mapping[str, float]) -> None:
            bar.update(self.task, figures=_line(figures))

        def evaluated(self, step: int, name: str, figures: Mapping[str, float], note: str) -> None:
            if not quiet:
                tell(f"step {step}  {name}  {_line(figures)}{'  ' + note if note else ''}")

        def say(self, message: str) -> None:
            tell(message)

    return Screen()


def _line(figures: Mapping[str, float]) -> str:
    """Return loss, accuracy and margin in words; exact ties where there are any."""
    parts = [f"loss {figure(figures['loss'])}"]
    if not math.isnan(figures.get("accuracy", math.nan)):
        parts += [f"accuracy {figures['accuracy']:.1%}", f"margin {figure(figures['margin'])}"]
    if figures.get("tied"):
        parts.append(f"{percent(figures['tied'])} exact ties")
    return ", ".join(parts)


def _print(card: TrainingCard, folder: Path) -> None:
    from rewardkit.explain import printable

    screen = console()
    shown = table("set", "pairs", "accuracy", "margin", "loss", numbers=("pairs", "accuracy", "margin", "loss"))
    for name, found in card.metrics.items():
        accuracy = found["accuracy"]
        cells = [figure(found[key]) for key in ("margin", "loss")]
        label = "train, while learning" if name == "train" else name
        shown.add_row(label, f"{found['decided']:,}", "–" if accuracy is None else f"{accuracy:.1%}", *cells)
    screen.print(shown)
    parameters = count(card.parameters, "parameter")
    screen.print(
        f"\nTrained {card.trained} ({parameters}) in {card.seconds:,.1f} seconds, {count(card.steps, 'step')}."
    )
    kept = f"Kept the weights of step {card.best_step}"
    early = "; accuracy had stopped growing" if card.ended == "patience" else ""
    screen.print(f"{kept}{', the best in validation' if 'validation' in card.metrics else ''}{early}.")
    for warning in card.warnings:
        screen.print(printable(f"Warning: {warning}."), soft_wrap=True)
    name = printable(str(folder))
    screen.print(f"Saved to {name}; next: rewardkit rm eval {name} HELD-OUT --html report.html", soft_wrap=True)
