"""``rewardkit rm data``: look after preference data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rewardkit_rm.cli.data_check import check
from rewardkit_rm.cli.outputs import check_outputs, make_folder
from rewardkit_rm.cli.pair_arguments import pair_arguments, watched

if TYPE_CHECKING:
    from rewardkit_rm.pairs.annotators import Agreement
    from rewardkit_rm.pairs.balance import Method
    from rewardkit_rm.pairs.rankings import Weighting
    from rewardkit_rm.pairs.reading import PairFiles

__all__ = ["data"]

_SPLIT_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_ANNOTATORS = 30

_overwrite = click.option("--overwrite", is_flag=True, help="Replace what is there.")
_quiet = click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
_seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="For what is drawn.")
_output = click.option("-o", "--output", metavar="FILE", required=True, help="Write .jsonl or .jsonl.gz.")


@click.group()
def data() -> None:
    """Preference data: check, split, and make pairs of rankings and of several annotators.

    DATA is one or more files (JSON lines, gzip of these, Parquet) or folders of Hugging Face datasets. A row has one
    of these forms:

    \b
      {"prompt": …, "chosen": …, "rejected": …}
      {"prompt": …, "response_a": …, "response_b": …, "preference": "A" | "B" | "tie"}
      {"prompt": …, "responses": [best, …, worst]}    or with "ranks" (1 is the best) or "scores"

    and where known "margin", "probability", "tie", "domain", "weight", "annotator", "id". A prompt is text or chat
    messages. Conversations as chosen and rejected bring their prompt along. Other columns are named by --map.

    Output files appear at once and complete, and replace others only with --overwrite.
    """  # noqa: D301


data.add_command(check)


@data.command()
@pair_arguments
@click.option("-o", "--output", metavar="FOLDER", required=True, help="Write NAME.jsonl for every split here.")
@click.option(
    "--share",
    "shares",
    metavar="NAME=SHARE",
    multiple=True,
    default=("train=0.9", "validation=0.1"),
    show_default=True,
    help="A split and its share. Repeatable; shares add up to 1.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, another split.")
@_overwrite
@_quiet
def split(files: PairFiles, output: str, shares: tuple[str, ...], seed: int, overwrite: bool, quiet: bool) -> None:
    """Split by prompt: all pairs of a prompt go to the same file.

    A hash of the seed and the prompt (white space and case do not count) decides alone. Rows added later never move
    a prompt, and every domain is split in these shares but for chance. Rows are written as they were read, with all
    their columns.

    \b
    Example:
      rewardkit rm data split pairs.jsonl -o splits
      rewardkit rm data split a.parquet b.jsonl.gz -o splits --share train=0.8 --share dev=0.1 --share test=0.1
    """  # noqa: D301
    known = _shares(shares)
    folder = Path(output)
    outs = {name: folder / f"{name}.jsonl" for name in known}
    make_folder(folder)
    check_outputs(outs.values(), files.paths)
    counts = _write_splits(files, outs, known, seed, overwrite, quiet)
    _print_splits(counts, list(known))


def _shares(values: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for value in values:
        name, _, share = value.partition("=")
        try:
            number = float(share)
        except ValueError:
            raise click.BadParameter(f"--share: expected NAME=SHARE, as in train=0.9, got {value!r}") from None
        if not _SPLIT_NAME.fullmatch(name):
            raise click.BadParameter(f"--share: {name!r} cannot be a file name; use letters, digits, - and _")
        if name in found:
            raise click.BadParameter(f"--share: {name!r} is given twice")
        found[name] = number
    return found


_Counts = dict[tuple[str, str], tuple[int, set[int]]]
"""Pairs and hashes of prompts by split and domain."""


def _write_splits(
    files: PairFiles, outs: dict[str, Path], shares: dict[str, float], seed: int, overwrite: bool, quiet: bool
) -> _Counts:
    from rewardkit.cli.screen import progress
    from rewardkit.errors import RewardKitError
    from rewardkit_rm.pairs.fingerprints import prompt_hash
    from rewardkit_rm.pairs.pair import prompt_key
    from rewardkit_rm.pairs.rows import pairs_of_row
    from rewardkit_rm.pairs.splitting import split_of
    from rewardkit_rm.pairs.writing import row_file

    counts: _Counts = {}
    with ExitStack() as stack:
        writers = {name: stack.enter_context(row_file(out, overwrite)) for name, out in outs.items()}
        update = stack.enter_context(progress(files, quiet))
        for number, (where, row) in enumerate(files.located(), 1):
            pairs = pairs_of_row(row, where)
            name = split_of(prompt_key(pairs[0].prompt), shares, seed)
            writers[name](row)
            count, prompts = counts.get((name, pairs[0].domain), (0, set()))
            prompts.add(prompt_hash(pairs[0].prompt))
            counts[name, pairs[0].domain] = (count + len(pairs), prompts)
            update(number)
        for name in set(outs) - {split for split, _ in counts}:
            raise RewardKitError(f"{name} gets no prompt: too few for its share {shares[name]:g}; or another --seed")
    return counts


def _print_splits(counts: _Counts, names: Sequence[str]) -> None:
    from rewardkit.cli.screen import console, table, tell

    made = table("domain", *names, numbers=names, title="pairs (prompts)")
    domains = sorted({domain for _, domain in counts})
    for domain in domains if len(domains) > 1 else []:
        made.add_row(domain or "(none)", *(_split_cell(counts, name, [domain]) for name in names))
    made.add_row("all", *(_split_cell(counts, name, domains) for name in names), style="bold")
    console().print(made)
    for domain in domains:
        for name in names:
            if (name, domain) not in counts:
                tell(f"{domain or 'pairs without a domain'}: no prompt in {name}; too few for its share")


def _split_cell(counts: _Counts, name: str, domains: Sequence[str]) -> str:
    found = [counts[name, domain] for domain in domains if (name, domain) in counts]
    prompts = set().union(*(prompts for _, prompts in found))
    return f"{sum(count for count, _ in found):,} ({len(prompts):,})"


@data.command()
@pair_arguments
@_output
@click.option(
    "--weighting",
    type=click.Choice(["ranking", "response", "pair"]),
    default="ranking",
    show_default=True,
    help="What weighs 1: a whole ranking, each response of it, or each pair.",
)
@_overwrite
@_quiet
def rankings(files: PairFiles, output: str, weighting: Weighting, overwrite: bool, quiet: bool) -> None:
    """Make pairs of rankings of 2 to 64 responses.

    A ranking of k responses makes k(k-1)/2 pairs, equal ranks make ties. A ranking of nine must not count 36 times as
    much as one pair: by default its pairs weigh 2/(k(k-1)) each, together 1, as in InstructGPT. Rows that are pairs
    already pass through. (train and eval read rankings directly, too.)

    \b
    Example:
      rewardkit rm data rankings rankings.jsonl -o pairs.jsonl
      rewardkit rm data rankings scored.parquet -o pairs.jsonl --map responses=outputs --map scores=ratings
    """  # noqa: D301
    from rewardkit.cli.screen import count, tell
    from rewardkit_rm.pairs.reading import PairFiles
    from rewardkit_rm.pairs.writing import write_pairs

    check_outputs([output], files.paths)
    with watched(PairFiles(files.paths, files.layout, weighting), quiet) as pairs:
        written = write_pairs(output, pairs, overwrite)
    tell(f"{count(written, 'pair')} written to {output}")


@data.command()
@pair_arguments
@click.option("-o", "--output", metavar="FILE", help="Write one pair for each two sides, as most annotators say.")
@click.option("--agreement/--no-agreement", default=True, help="Measure the agreement. [default: yes]")
@click.option("--json", "as_json", is_flag=True, help="Print the agreement as JSON.")
@_overwrite
@_quiet
def annotators(
    files: PairFiles, output: str | None, agreement: bool, as_json: bool, overwrite: bool, quiet: bool
) -> None:
    """Measure how far annotators agree, and make one pair of all their votes.

    Each row is a vote, with a column "annotator"; the same two responses may stand in either order. Printed are the
    share of agreeing votes, Cohen's kappa (two annotators), Fleiss' kappa, Krippendorff's alpha (missing votes
    allowed), and each annotator's agreement with the others. In the pairs, "probability" is the share of votes for
    the chosen side, a tie counting half; a draw is a tie.

    \b
    Example:
      rewardkit rm data annotators votes.jsonl
      rewardkit rm data annotators votes.jsonl -o pairs.jsonl --map annotator=worker_id
    """  # noqa: D301
    from rewardkit.cli.screen import count, tell
    from rewardkit_rm.pairs import annotators as voting
    from rewardkit_rm.pairs.writing import write_pairs

    if output is None and not agreement:
        raise click.UsageError("nothing to do: --no-agreement, and no --output")
    check_outputs([output], files.paths)
    with watched(files, quiet) as pairs:
        if agreement:
            found = voting.agreement(pairs)
            click.echo(found.model_dump_json(indent=2)) if as_json else _print_agreement(found)
        if output is not None:
            written = write_pairs(output, voting.majority(pairs), overwrite)
            tell(f"{count(pairs.count, 'vote')} made {count(written, 'pair')}, written to {output}")


def _print_agreement(found: Agreement) -> None:
    from rewardkit.cli.screen import console, figure, percent, table

    made = table("agreement", "", "of", numbers=("",))
    made.add_row(
        "same verdict", percent(found.observed), f"{found.shared:,} of {found.items:,} items, judged twice or more"
    )
    if len(found.annotators) == 2:
        made.add_row("Cohen's kappa", figure(found.cohen), f"{found.shared:,} items")
    made.add_row("Fleiss' kappa", figure(found.fleiss), f"{found.fleiss_items:,} items with as many votes each")
    made.add_row("Krippendorff's alpha", figure(found.krippendorff), f"{found.shared:,} items, nominal")
    console().print(made)
    headings = ("votes", "ties", "agrees with others")
    people = table("annotator", *headings, numbers=headings)
    ranked = sorted(found.annotators.items(), key=lambda item: (item[1].agreement is None, item[1].agreement, item[0]))
    for name, one in ranked[:_ANNOTATORS]:
        people.add_row(name, f"{one.votes:,}", f"{one.ties:,}", percent(one.agreement))
    console().print()
    console().print(people)
    rest = {
        "more annotators, who agree better": len(ranked) - _ANNOTATORS,
        "votes replaced by a later one": found.repeated,
    }
    for what, number in (rest | {"votes without an annotator, left out": found.unnamed}).items():
        if number > 0:
            console().print(f"{number:,} {what}")


@data.command()
@pair_arguments
@_output
@click.option(
    "--method",
    type=click.Choice(["subsample", "weights"]),
    default="subsample",
    show_default=True,
    help="Leave pairs out, or keep them with less weight.",
)
@_seed
@_overwrite
@_quiet
def balance(files: PairFiles, output: str, method: Method, seed: int, overwrite: bool, quiet: bool) -> None:
    """Balance lengths: afterwards the longer side is chosen in half of the pairs.

    In each domain, among pairs whose sides differ by about as much (1, 2-3, 4-7, … characters), the more numerous
    kind is cut down to the other one: at random, or by weight. Ties and pairs of equal length stay. Only the columns
    of a pair are written.

    \b
    Example:
      rewardkit rm data balance train.jsonl -o balanced.jsonl
      rewardkit rm data balance train.jsonl -o weighted.jsonl --method weights
    """  # noqa: D301
    from dataclasses import replace

    from rewardkit.cli.screen import count, tell
    from rewardkit_rm.pairs.balance import balance_factors
    from rewardkit_rm.pairs.rows import pair_row
    from rewardkit_rm.pairs.writing import row_file

    check_outputs([output], files.paths)
    seen = _Lengths()
    with watched(files, quiet) as pairs, row_file(output, overwrite) as write:
        for pair, factor in zip(pairs, balance_factors(pairs, method, seed).tolist(), strict=True):
            after = replace(pair, weight=pair.weight * factor) if factor < 1 else pair
            seen.add(pair, after.weight)
            if factor > 0:
                write(pair_row(after))
    seen.print()
    tell(f"{count(sum(seen.kept.values()), 'pair')} written to {output}")


class _Lengths:
    """How often the longer side is chosen, before and after, by domain."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[bool, float, float]]] = {}
        self.pairs: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()

    def add(self, pair: Any, after: float) -> None:
        self.pairs[pair.domain] += 1
        self.kept[pair.domain] += after > 0 or pair.weight == 0
        difference = len(pair.chosen) - len(pair.rejected)
        if difference and not pair.undecided:
            self.rows.setdefault(pair.domain, []).append((difference > 0, pair.weight, after))

    def print(self) -> None:
        """Print a table."""
        from rewardkit.cli.screen import console, table

        headings = ("pairs", "kept", "longer is chosen", "afterwards")
        made = table("domain", *headings, numbers=headings)
        for domain in sorted(self.pairs) if len(self.pairs) > 1 else []:
            counts = (self.pairs[domain], self.kept[domain])
            made.add_row(domain or "(none)", *_balance_cells(*counts, self.rows.get(domain, [])))
        everything = [row for rows in self.rows.values() for row in rows]
        made.add_row("all", *_balance_cells(self.pairs.total(), self.kept.total(), everything), style="bold")
        console().print(made)


def _balance_cells(pairs: int, kept: int, rows: Sequence[tuple[bool, float, float]]) -> list[str]:
    from rewardkit.cli.screen import percent
    from rewardkit_rm.pairs.share import Share

    longer, before, after = zip(*rows, strict=True) if rows else ((), (), ())
    shares = [percent(Share.of(longer, weights).share) for weights in (before, after)]
    return [f"{pairs:,}", f"{kept:,}", *shares]


@data.command()
@pair_arguments
@_output
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(["white_space", "markup", "list_order"]),
    multiple=True,
    default=("white_space", "markup", "list_order"),
    show_default=True,
    help="What may be changed. Repeatable.",
)
@_seed
@_overwrite
@_quiet
def augment(files: PairFiles, output: str, kinds: tuple[str, ...], seed: int, overwrite: bool, quiet: bool) -> None:
    """Add copies of pairs with other white space, Markdown, or order of unnumbered lists, and the same label.

    A pair gets one copy, of a kind that changes both its sides: a change on one side only would tell the label. Pair
    and copy share the weight. Numbered lists, steps and fenced code stay as they are. Only the columns of a pair are
    written. Split first, or later by prompt: the copy keeps the prompt.

    \b
    Example:
      rewardkit rm data augment train.jsonl -o augmented.jsonl
      rewardkit rm data augment train.jsonl -o augmented.jsonl --kind list_order --seed 1
    """  # noqa: D301
    from rewardkit.cli.screen import count, tell
    from rewardkit_rm.pairs.perturb import augment as augmented
    from rewardkit_rm.pairs.writing import write_pairs

    check_outputs([output], files.paths)
    with watched(files, quiet) as pairs:
        written = write_pairs(output, augmented(pairs, kinds, seed), overwrite)
        copies = written - pairs.count
    tell(f"{count(pairs.count, 'pair')} and {copies:,} perturbed copies written to {output}")
