"""``rewardkit rm check``: may a policy be trained on this reward model?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rewardkit_rm.cli.model_options import model_arguments
from rewardkit_rm.cli.outputs import check_outputs
from rewardkit_rm.cli.pair_arguments import Watched, pair_arguments

if TYPE_CHECKING:
    from rewardkit import Calibration
    from rewardkit_rm.gate.report import GateReport, GateRow
    from rewardkit_rm.models.scorer import Scorer
    from rewardkit_rm.pairs.reading import PairFiles

__all__ = ["check"]

_STYLES = {"fail": "bold red", "unclear": "yellow", "pass": "green", "not measured": "dim"}


@click.command()
@model_arguments
@pair_arguments
@click.option("--other", metavar="FILE", multiple=True, help="Pairs of another domain: spill-over. Repeatable.")
@click.option("--calibration", metavar="FILE", help="The calibration. [default: MODEL/calibration.json]")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--html", metavar="FILE", help="Write the report as one HTML page.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def check(
    ctx: click.Context,
    model: str,
    load: Callable[[], Scorer],
    files: PairFiles,
    batch_tokens: int,
    other: tuple[str, ...],
    calibration: str | None,
    as_json: bool,
    html: str | None,
    quiet: bool,
) -> None:
    """Check a reward model before a policy is trained on it.

    DATA is preference pairs that the model was not trained on. Judged are the margin, the accuracy (overall, by
    domain, where the better side is shorter), whether scores follow length, empty and very long completions,
    calibration, spread and drift of the scores, and stress cases such as long rambling against a brief correct answer.
    Each row says what was measured, what must hold, and what to do about it.

    Exit code 0 if everything passes, 1 if something fails or too few data leave it unclear.

    \b
    Example:
      rewardkit rm check my-rm held-out.jsonl
      rewardkit rm check my-rm held-out.jsonl --other llmbar.jsonl --html gate.html
    """  # noqa: D301
    from rewardkit_rm.gate.check import check_model
    from rewardkit_rm.pairs.reading import PairFiles

    check_outputs([html], [*files.paths, *other])
    known = _calibration(model, calibration)
    others = {Path(path).name: PairFiles([path], files.layout) for path in other}
    scorer = load()
    with _watched(files, quiet) as (pairs, behind):
        checked = check_model(
            scorer, pairs, calibration=known, others=others, batch_tokens=batch_tokens, progress=behind
        )
    if html is not None:
        from rewardkit_rm.gate.page import gate_page

        gate_page(checked).write(html)
    if as_json:
        click.echo(checked.report.model_dump_json(indent=2))
    else:
        _print(checked.report)
    ctx.exit(0 if checked.report.passed else 1)


class _Work:
    """What the progress bar shows: half of it are the files, the other half is what is scored behind them."""

    def __init__(self, files: PairFiles) -> None:
        self.files = files
        self.share = 0.0

    @property
    def size(self) -> int:
        return 2 * self.files.size

    @property
    def position(self) -> int:
        return self.files.position + int(self.share * self.files.size)


@contextmanager
def _watched(files: PairFiles, quiet: bool) -> Iterator[tuple[Watched, Callable[[int, int], None]]]:
    """Return the pairs, and what to call with the completions done and those to do behind them."""
    from rewardkit.cli.screen import progress

    work = _Work(files)
    with progress(work, quiet) as update:
        pairs = Watched(files, update)

        def behind(done: int, total: int) -> None:
            work.share = done / total
            update(pairs.count + done)

        yield pairs, behind


def _calibration(model: str, named: str | None) -> Calibration | None:
    """Return the calibration that was named, or that beside the model if there is one."""
    from rewardkit_rm.calibrating import read_calibration

    path = Path(model, "calibration.json") if named is None else Path(named)
    return None if named is None and not path.exists() else read_calibration(path)


def _print(report: GateReport) -> None:
    from rewardkit.cli.screen import console, table

    screen = console()
    made = table("", "what", "measured", "must be", fold=("what", "measured", "must be"))
    for row in report.rows:
        made.add_row(row.outcome, row.title, row.measured, row.bound, style=_STYLES[row.outcome])
    screen.print(made)
    _print_advice([row for row in report.rows if row.advice])
    screen.print(f"\n{report.verdict.upper()}: {report.sentence}", style=_STYLES[report.verdict])


def _print_advice(rows: list[GateRow]) -> None:
    from rewardkit.cli.screen import console
    from rewardkit.explain import printable

    screen = console()
    screen.print()
    for row in rows:
        screen.print(f"- {printable(row.title)}: {printable(row.advice)}", soft_wrap=True)
