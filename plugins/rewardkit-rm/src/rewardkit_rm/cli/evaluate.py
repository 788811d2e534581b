"""``rewardkit rm eval``: how good is a reward model, on pairs that it has not seen?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from rewardkit.cli.options import layout_options
from rewardkit_rm.cli.model_options import model_arguments
from rewardkit_rm.cli.outputs import check_outputs

if TYPE_CHECKING:
    from rewardkit.files import Layout
    from rewardkit_rm.evaluation.evaluation import Evaluation, Rating
    from rewardkit_rm.evaluation.scored import ScoredPair
    from rewardkit_rm.models.scorer import Scorer

__all__ = ["evaluate"]

_OF_RATINGS = frozenset({"completion", "prompt", "rating", "response", "score"})
_STEP = 64


@click.command()
@model_arguments
@click.argument("data", nargs=-1, metavar="DATA...")
@layout_options
@click.option("--scores", "stored", is_flag=True, help="There is no MODEL: DATA holds scores.")
@click.option("--other", metavar="FILE", multiple=True, help="Pairs of another domain: spill-over. Repeatable.")
@click.option("--ratings", metavar="FILE", multiple=True, help="Responses with human ratings. Repeatable.")
@click.option("--baseline", metavar="FILE", help="Scores of the same pairs, in the same order, by another model.")
@click.option(
    "--save-scores", metavar="FILE", help="Write the scores of all pairs (.jsonl, .jsonl.gz); for --baseline."
)
@click.option("--json", "json_out", metavar="FILE", help="Write all figures as JSON; - for stdout.")
@click.option("--html", "html_out", metavar="FILE", help="Write a page with pictures.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no table.")
def evaluate(
    model: str,
    load: Callable[[], Scorer],
    batch_tokens: int,
    data: tuple[str, ...],
    layout: Layout,
    stored: bool,
    other: tuple[str, ...],
    ratings: tuple[str, ...],
    baseline: str | None,
    save_scores: str | None,
    json_out: str | None,
    html_out: str | None,
    quiet: bool,
) -> None:
    """Evaluate a reward model on preference pairs, or scores that come from anywhere.

    DATA is pairs (prompt, chosen, rejected), which MODEL scores. With --scores, MODEL is left out and DATA holds two
    scores a row: chosen_score and rejected_score; scores: {chosen, rejected}; or score_A, score_B and a label (A>B,
    B>A, A=B). A score of null is a pair that could not be scored.

    Shown are accuracy (equal scores count as wrong), margins, calibration, what follows length, all by domain and by
    which side is longer, beside preferring the longer or the shorter side. Intervals are 95 %, from a bootstrap over
    prompts. A file of --ratings holds prompt, completion and rating (with --scores: score and rating), each a number
    or a mapping of names to numbers. Memory does not grow with the number of pairs.

    \b
    Example:
      rewardkit rm eval my-rm held-out.jsonl --other llmbar.jsonl --html report.html
      rewardkit rm eval --scores scores.jsonl --json - | jq .accuracy
      rewardkit rm eval my-rm held-out.jsonl --save-scores new.jsonl --baseline old.jsonl
    """  # noqa: D301
    paths = (model, *data) if stored else data
    if not paths:
        raise click.UsageError("Missing argument 'DATA...'; for stored scores without a model: --scores")
    read = [*paths, *other, *ratings, *([baseline] if baseline else [])]
    check_outputs([save_scores, None if json_out == "-" else json_out, html_out], read)
    inputs = _Inputs(layout, None if stored else load, batch_tokens, quiet)
    found = _evaluate(inputs, paths, other, ratings, baseline, save_scores, None if stored else model)
    title = "Scores" if stored else f"Reward model {model}"
    _write(found, json_out, html_out, title, ", ".join(paths))
    if not quiet and json_out != "-":
        from rewardkit_rm.cli.evaluation_tables import show

        show(found)


@dataclass
class _Inputs:
    """Where scored pairs come from: stored scores, or a model that scores them."""

    layout: Layout
    load: Callable[[], Scorer] | None
    batch_tokens: int
    quiet: bool
    scorer: Scorer | None = None

    def pairs(self, paths: Sequence[str]) -> Iterator[ScoredPair]:
        """Open files at once; score or read their pairs as they are asked for, with a progress bar."""
        from rewardkit_rm.evaluation.scored import ScoreFiles
        from rewardkit_rm.pairs.reading import PairFiles

        layout = self._layout(without=_OF_RATINGS - {"prompt"})
        if self.load is None:
            stored = ScoreFiles(paths, layout)
            return self._watched(stored.files, stored)
        files = PairFiles(paths, layout)
        return self._watched(files, self._scored(files))

    def _scored(self, files: Any) -> Iterator[ScoredPair]:
        from rewardkit_rm.evaluation.scoring import score_pairs

        return score_pairs(self.model(), files, batch_tokens=self.batch_tokens)

    def model(self) -> Scorer:
        """Return the model, which is loaded once."""
        assert self.load is not None
        self.scorer = self.scorer or self.load()
        return self.scorer

    def correlate(self, paths: Sequence[str]) -> list[Rating]:
        """Return the rank correlations with the ratings in files."""
        from rewardkit_rm.evaluation.ratings import RatingFiles, correlate_ratings, score_responses

        files = RatingFiles(paths, self._layout(only=_OF_RATINGS))
        rated = self._watched(files.files, files)
        if self.load is None:
            return correlate_ratings(rated)
        return correlate_ratings(score_responses(self.model(), rated, batch_tokens=self.batch_tokens))

    def _layout(self, only: frozenset[str] | None = None, without: frozenset[str] = frozenset()) -> Layout:
        """Return the layout with those columns that files of one kind can have."""
        from rewardkit.files import Layout

        names = {name for name in self.layout.columns if (only is None or name in only) and name not in without}
        return Layout(self.layout.explode, {name: self.layout.columns[name] for name in names})

    def _watched(self, files: Any, rows: Iterable[Any]) -> Iterator[Any]:
        from rewardkit.cli.screen import progress

        with progress(files, self.quiet) as update:
            for number, row in enumerate(rows, 1):
                yield row
                if number % _STEP == 0:
                    update(number)


def _evaluate(
    inputs: _Inputs,
    paths: Sequence[str],
    other: Sequence[str],
    ratings: Sequence[str],
    baseline: str | None,
    save_scores: str | None,
    model: str | None,
) -> Evaluation:
    from rewardkit_rm.evaluation.evaluate import evaluate as evaluate_pairs
    from rewardkit_rm.evaluation.scored import ScoreFiles
    from rewardkit_rm.pairs.writing import row_file

    with ExitStack() as stack:
        pairs = inputs.pairs(paths)
        others = {path: inputs.pairs([path]) for path in other}
        against = ScoreFiles([baseline], inputs._layout(without=_OF_RATINGS)) if baseline is not None else None
        if save_scores is not None:
            pairs = _saved(pairs, stack.enter_context(row_file(save_scores, overwrite=True)))
        return evaluate_pairs(
            pairs,
            others=others,
            baseline=against,
            baseline_name=baseline or "",
            ratings=inputs.correlate(ratings) if ratings else (),
            training_accuracy=_training_accuracy(model),
        )


def _saved(pairs: Iterable[ScoredPair], write: Callable[[Mapping[str, Any]], None]) -> Iterator[ScoredPair]:
    """Write the scores of pairs as they go by."""
    for pair in pairs:
        write(_score_row(pair))
        yield pair


def _score_row(pair: ScoredPair) -> dict[str, Any]:
    from rewardkit.errors import encodable

    known = not pair.problem
    row: dict[str, Any] = {
        "chosen_score": pair.chosen_score if known else None,
        "rejected_score": pair.rejected_score if known else None,
        "id": encodable(pair.id),
        "domain": encodable(pair.domain),
        "prompt_key": pair.prompt,
        "chosen_length": pair.chosen_length,
        "rejected_length": pair.rejected_length,
        "tie": pair.tie,
        "probability": pair.probability,
        "problem": encodable(pair.problem),
    }
    usual: dict[str, Any] = {"id": "", "domain": "", "prompt_key": "", "tie": False, "probability": 1.0, "problem": ""}
    usual |= {"chosen_length": None, "rejected_length": None}
    return {name: value for name, value in row.items() if name not in usual or value != usual[name]}


def _training_accuracy(model: str | None) -> float | None:
    """Return the accuracy on training pairs that the card beside a model gives."""
    if model is None:
        return None
    try:
        card = orjson.loads(Path(model, "training_card.json").read_bytes())
        accuracy = card["accuracy"]["train"]
    except (OSError, ValueError, KeyError, TypeError):  # a model from elsewhere has no card, or another one
        return None
    return float(accuracy) if isinstance(accuracy, int | float) and 0 <= accuracy <= 1 else None


def _write(found: Evaluation, json_out: str | None, html_out: str | None, title: str, subtitle: str) -> None:
    from rewardkit.errors import encodable
    from rewardkit.files.whole import whole_file

    if json_out == "-":
        click.echo(found.model_dump_json(indent=2))
    elif json_out is not None:
        with whole_file(json_out) as file:
            file.write(found.model_dump_json(indent=2).encode() + b"\n")
    if html_out is not None:
        from rewardkit_rm.evaluation.page import evaluation_page

        evaluation_page(found, encodable(title), encodable(subtitle)).write(html_out)
