"""``rewardkit rm data check``: is this data fit to train on?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from rewardkit_rm.cli.pair_arguments import pair_arguments, watched

if TYPE_CHECKING:
    from rewardkit_rm.pairs.checks import DomainCounts, PairReport
    from rewardkit_rm.pairs.fingerprints import Encode
    from rewardkit_rm.pairs.reading import PairFiles

__all__ = ["check"]

_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_DOMAINS = 20


@click.command()
@pair_arguments
@click.option("--against", metavar="FILE", multiple=True, help="Pairs that must share no prompt with DATA. Repeatable.")
@click.option("--model", metavar="FOLDER", help="Also compare the sides as token ids of this model's tokenizer.")
@click.option("--max-length", type=click.IntRange(min=8), help="Most tokens of prompt and completion, with --model.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def check(
    ctx: click.Context,
    files: PairFiles,
    against: tuple[str, ...],
    model: str | None,
    max_length: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Check preference data before training on it.

    Finds duplicates, contradictions, sides that are equal (with --model also after truncation), texts that win on
    every prompt, data whose longer side is nearly always chosen, too many ties, empty sides, odd margins, domains too
    small to judge, and with --against prompts that leak into another file. Counts pairs and prompts by domain.

    Errors mean: do not train on this; the exit code is then 1. Warnings want a look, notes are good to know. Memory
    grows by some 230 bytes a pair, not with the texts.

    \b
    Example:
      rewardkit rm data check train.jsonl --against validation.jsonl --against benchmark.jsonl
      rewardkit rm data check pairs.parquet --map chosen=answers.0 --map rejected=answers.1
      rewardkit rm data check train.jsonl --model my-base --max-length 1024 --json | jq .findings
    """  # noqa: D301
    from rewardkit_rm.pairs.checks import check_pairs
    from rewardkit_rm.pairs.reading import PairFiles

    if max_length is not None and model is None:
        raise click.UsageError("--max-length needs --model: tokens are those of a tokenizer")
    others = {path: PairFiles([path], files.layout) for path in against}
    encode = None if model is None else _encode(model, max_length)
    with watched(files, quiet) as pairs:
        report = check_pairs(pairs, others, encode)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        _print(report)
    ctx.exit(0 if report.ok else 1)


def _encode(model: str, max_length: int | None) -> Encode:
    """Return how a model sees a prompt with a completion; its weights are not read."""
    from rewardkit_rm.models.backbone import length_limit
    from rewardkit_rm.models.encoding import ResponseEncoder
    from rewardkit_rm.models.pretrained import Source
    from rewardkit_rm.models.saving import BACKBONE, CARD, read_card
    from rewardkit_rm.models.settings import EncodingSettings

    source = Source(model)
    card = read_card(source.folder) if (source.folder / CARD).is_file() else None
    body = Source(str(source.folder / BACKBONE)) if card and card.architecture == "head" else source
    settings = card.encoding if card else EncodingSettings()
    if max_length is not None:
        settings = settings.model_copy(update={"max_length": max_length})
    encoder = ResponseEncoder(source.tokenizer(), settings, length_limit(body.config()))
    return lambda prompt, completion: encoder.encode(prompt, completion).input_ids or None


def _print(report: PairReport) -> None:
    from rewardkit.cli.screen import console, count, table

    screen = console()
    if report.total.pairs:
        _print_domains(report)
    if report.findings:
        made = table("", "check", "what", fold=("what",))
        for finding in report.findings:
            made.add_row(finding.level, finding.check, finding.message, style=_STYLES[finding.level])
            if finding.examples:
                more = ", …" if finding.count > len(finding.examples) else ""
                made.add_row("", "", _places(finding.examples) + more, style="dim")
        screen.print(made)
        screen.print()
    levels: Counter[str] = Counter(finding.level for finding in report.findings)
    told = ", ".join(count(levels[level], level) for level in _STYLES if levels[level]) or "nothing to report"
    screen.print(f"{told}; {count(report.total.pairs, 'pair')} read")
    if not report.ok:
        screen.print("do not train on this", style=_STYLES["error"])


def _places(examples: tuple[str, ...]) -> str:
    """Name places; what stands in the same file as the one before is named by its line.

    >>> _places(("a.jsonl:1", "a.jsonl:7", "b.jsonl:2"))
    'a.jsonl:1, 7, b.jsonl:2'
    """
    found, last = [], ""
    for place in examples:
        file, colon, line = place.rpartition(":")
        found.append(line if colon and file == last else place)
        last = file
    return ", ".join(found)


def _print_domains(report: PairReport) -> None:
    from rewardkit.cli.screen import console, table

    headings = ("pairs", "prompts", "ties", "longer is chosen", "95 % interval")
    made = table("domain", *headings, numbers=headings)
    if len(report.domains) > 1:
        for name, counts in list(report.domains.items())[:_DOMAINS]:
            made.add_row(name or "(none)", *_cells(counts))
        if len(report.domains) > _DOMAINS:
            made.add_row(f"{len(report.domains) - _DOMAINS} more")
    made.add_row("all", *_cells(report.total), style="bold")
    console().print(made)
    console().print()


def _cells(counts: DomainCounts) -> list[str]:
    from rewardkit.cli.screen import percent

    share = counts.longer
    interval = f"{percent(share.low)} to {percent(share.high)}" if share.share is not None else "–"
    return [f"{counts.pairs:,}", f"{counts.prompts:,}", f"{counts.ties:,}", percent(share.share), interval]
