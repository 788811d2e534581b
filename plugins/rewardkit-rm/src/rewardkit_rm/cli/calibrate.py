"""``rewardkit rm calibrate``: mean, spread, quantiles and temperature of a reward model's scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewardkit.errors import RewardKitError
from rewardkit_rm.cli.model_options import model_arguments
from rewardkit_rm.cli.outputs import check_outputs
from rewardkit_rm.cli.pair_arguments import pair_arguments

if TYPE_CHECKING:
    from rewardkit_rm.calibrating import ModelCalibration, Temperature
    from rewardkit_rm.calibration_set import ScoredSet
    from rewardkit_rm.models.scorer import Scorer
    from rewardkit_rm.pairs.reading import PairFiles

__all__ = ["calibrate"]


@click.command()
@model_arguments
@pair_arguments
@click.option("--compare", metavar="FILE", multiple=True, help="Look for drift against this second set. Repeatable.")
@click.option("-o", "--output", metavar="FILE", help="Where the calibration goes. [default: MODEL/calibration.json]")
@click.option("--clip", type=click.FloatRange(min=0, min_open=True), help="Clip normalised scores to so many std.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def calibrate(
    model: str,
    load: Callable[[], Scorer],
    files: PairFiles,
    batch_tokens: int,
    compare: tuple[str, ...],
    output: str | None,
    clip: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Calibrate a reward model on a fixed set, and look for drift.

    DATA is pairs (chosen, rejected) or single responses (prompt, completion) like those that a policy will write.
    Mean, standard deviation and quantiles of all scores go to MODEL/calibration.json, which a reward config names as
    normalize:. Pairs also give the temperature T of P(chosen is better) = sigmoid(margin / T), with likelihood, Brier
    score and calibration error before and after; "after" is measured on prompts that T was not fitted on.

    \b
    Example:
      rewardkit rm calibrate my-rm held-out.jsonl
      rewardkit rm calibrate my-rm held-out.jsonl --compare rollouts-step-500.jsonl
    """  # noqa: D301
    from rewardkit_rm.calibrating import find_drift
    from rewardkit_rm.pairs.reading import PairFiles

    out = _output(model) if output is None else Path(output)
    check_outputs([out], [*files.paths, *compare])
    others = {path: PairFiles([path], files.layout) for path in compare}
    scorer = load()
    scored = _score(scorer, files, batch_tokens, quiet)
    found = _calibrated(scorer, scored, clip)
    drift = {
        path: find_drift(found.calibration, _score(scorer, other, batch_tokens, quiet).scores)
        for path, other in others.items()
    }
    found = found.model_copy(update={"drift": drift})
    found.calibration.save(out)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print(found, scored.problem, out)


def _output(model: str) -> Path:
    from rewardkit_rm.models.sources import locate

    if locate(model) != Path(model):
        raise RewardKitError(f"{model} is no folder of yours: say with --output where the calibration goes")
    return Path(model, "calibration.json")


def _calibrated(scorer: Scorer, scored: ScoredSet, clip: float | None) -> ModelCalibration:
    from rewardkit_rm.calibrating import calibrate

    try:
        return calibrate(scored.scores, scored.margins, model=scorer.digest or None, clip=clip)
    except RewardKitError as error:
        why = f"; the first response without one: {scored.problem}" if scored.problem else ""
        raise RewardKitError(f"{scorer.name}: {error}{why}") from None


def _score(scorer: Scorer, files: PairFiles, batch_tokens: int, quiet: bool) -> ScoredSet:
    from rewardkit.cli.screen import progress
    from rewardkit_rm.calibration_set import score_files

    with progress(files, quiet) as update:
        return score_files(scorer, files, batch_tokens=batch_tokens, update=update)


def _print(found: ModelCalibration, problem: str, out: Path) -> None:
    from rewardkit.cli.screen import console, count, figure, tell

    screen, calibration = console(), found.calibration
    quantiles = ", ".join(f"{level} {figure(value)}" for level, value in (calibration.quantiles or {}).items())
    screen.print(
        f"{count(calibration.n or 0, 'score')}: mean {figure(calibration.mean)}, std {figure(calibration.std)}"
    )
    screen.print(f"quantiles: {quantiles}")
    if found.temperature is not None:
        _print_temperature(found.temperature)
    for path, drift in found.drift.items():
        share = "" if drift.share is None else f", shares within {drift.share:.0%}"
        screen.print(f"\n{drift.verdict}: {path}", style="bold")
        screen.print(f"mean {drift.shift:+.2f} std, spread × {drift.spread:.2f}{share}: {drift.reason}")
    if found.left_out:
        tell(f"{count(found.left_out, 'response')} left out: {problem}")
    tell(f"written to {out}; in a reward config: normalize: {out}")


def _print_temperature(found: Temperature) -> None:
    from rewardkit.cli.screen import console, count, figure, table

    screen = console()
    pairs = count(found.pairs, "pair")
    told = found.why_not if found.value is None else f"temperature {figure(found.value)}"
    screen.print(f"{pairs}: {told}\n")
    made = table("", "before (T = 1)", "after (other prompts)", numbers=("before (T = 1)", "after (other prompts)"))
    for name, label in (("nll", "negative log-likelihood"), ("brier", "Brier score"), ("ece", "calibration error")):
        after = None if found.after is None else getattr(found.after, name)
        made.add_row(label, figure(getattr(found.before, name)), figure(after))
    screen.print(made)
