"""Several annotators of the same two sides: how far they agree, and what most of them say."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from rewardkit.errors import RewardKitError
from rewardkit_rm.pairs.fingerprints import text_hash
from rewardkit_rm.pairs.pair import Pair, prompt_key
from rewardkit_rm.pairs.rows import turned

__all__ = ["Agreement", "AnnotatorCounts", "agreement", "majority"]

_Verdict = Literal[0, 1, 2]
"""The side whose hash is smaller, the other one, or a tie."""

_TIE: _Verdict = 2


class AnnotatorCounts(BaseModel):
    """One annotator.

    Attributes:
        votes: Sides judged.
        ties: Of these, called ties.
        agreement: Share of votes of others, on the same sides, that say the same; None where nobody else judged
            them.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    votes: int
    ties: int
    agreement: float | None


class Agreement(BaseModel):
    """How far annotators agree about the same two sides: A, B or tie.

    A coefficient is 1 for full agreement, 0 for what chance gives, and below 0 for less than that. It is None where
    it does not exist: too few votes, or all votes are the same, so that chance agrees as well.

    Attributes:
        items: Different pairs of sides.
        shared: Those judged by several annotators.
        votes: Votes on them all; a vote that an annotator gave twice counts once, the last one.
        repeated: Votes that were replaced by a later one of the same annotator.
        unnamed: Votes without an annotator; they are left out of everything here.
        observed: Observed agreement: mean over the shared items of the share of pairs of annotators that say the same.
        cohen: Cohen's kappa (1960), where there are just two annotators, on the items that both judged.
        fleiss: Fleiss' kappa (1971). It takes the same number of votes of every item: those items count that have
            the commonest number above 1.
        fleiss_items: Items that it was computed on.
        krippendorff: Krippendorff's alpha, nominal (2011); it takes items with missing votes.
        annotators: Each annotator by name.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    items: int
    shared: int
    votes: int
    repeated: int
    unnamed: int
    observed: float | None
    cohen: float | None
    fleiss: float | None
    fleiss_items: int
    krippendorff: float | None
    annotators: dict[str, AnnotatorCounts]


@dataclass
class _Votes:
    """What annotators said, as hashes of items and names: no texts.

    An item is a prompt (but for white space and case) with two sides, whichever is called chosen. Which side is A is
    decided by the hash of the texts. If the first vote decided it, or the order in the file, one annotator would
    say A more often than chance, and every kappa would be off.

    Attributes:
        named: Verdict by item and annotator.
        repeated: How many were replaced by a later one of the same annotator.
        unnamed: How many had no annotator.
        items: All items, those of unnamed votes too.
    """

    named: dict[tuple[int, str], _Verdict] = field(default_factory=dict)
    repeated: int = 0
    unnamed: int = 0
    items: set[int] = field(default_factory=set)

    def add(self, pair: Pair) -> None:
        """Take in one vote."""
        item, turned_round = _item(pair)
        self.items.add(item)
        if not pair.annotator:
            self.unnamed += 1
            return
        verdict: _Verdict = _TIE if pair.undecided else turned_round
        self.repeated += (item, pair.annotator) in self.named
        self.named[item, pair.annotator] = verdict

    def by_item(self) -> dict[int, dict[str, _Verdict]]:
        """Return the verdicts of each item by annotator."""
        found: dict[int, dict[str, _Verdict]] = defaultdict(dict)
        for (item, annotator), verdict in self.named.items():
            found[item][annotator] = verdict
        return found


def agreement(pairs: Iterable[Pair]) -> Agreement:
    """Measure how far annotators agree, in one pass that keeps hashes only.

    Cohen's and Fleiss' kappa come from ``statsmodels``, Krippendorff's alpha from ``krippendorff``.

    Args:
        pairs: One vote each, with an annotator; the same two sides may stand in either order.

    Raises:
        RewardKitError: If one of these packages is missing; says what installs it.

    Example:
        >>> votes = [Pair("2+2?", "4", "5", annotator="ann"), Pair("2+2?", "5", "4", annotator="bob")]
        >>> agreement(votes).observed
        0.0
    """
    votes = _Votes()
    for pair in pairs:
        votes.add(pair)
    items = votes.by_item()
    names = sorted({name for _, name in votes.named})
    fleiss, fleiss_items = _fleiss(items)
    same = [_observed(list(verdicts.values())) for verdicts in items.values() if len(verdicts) > 1]
    return Agreement(
        items=len(votes.items),
        shared=len(same),
        votes=len(votes.named),
        repeated=votes.repeated,
        unnamed=votes.unnamed,
        observed=float(np.mean(same)) if same else None,
        cohen=_cohen(items, names) if len(names) == 2 else None,
        fleiss=fleiss,
        fleiss_items=fleiss_items,
        krippendorff=_krippendorff(items, names),
        annotators=_annotators(items, names),
    )


def majority(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Make one pair of all votes on the same two sides.

    ``probability`` is the mean of the votes: 1 for chosen, 0 for rejected, 0.5 for a tie, or what a vote gives
    itself. Chosen is the side with the higher mean; the pair is a tie where the mean is 0.5, or where more voted tie
    than for either side. The margin is the mean over the votes that have one, signed towards chosen. Of an annotator
    who voted twice the last vote counts, and of votes without an annotator each counts. Everything else (prompt,
    weight, domain, id, place) comes from the first vote, in whose place the pair stands; it names no annotator.

    Goes through the pairs twice, and keeps hashes and numbers only; what can be gone through once is held in memory.

    Example:
        >>> votes = [Pair("2+2?", *sides) for sides in [("4", "5"), ("4", "5"), ("5", "4"), ("4", "5")]]
        >>> [(pair.chosen, pair.probability, pair.tie) for pair in majority(votes)]
        [('4', 0.75, False)]
    """
    again = list(pairs) if iter(pairs) is pairs else pairs
    ballots: dict[int, _Ballot] = defaultdict(_Ballot)
    for pair in again:
        item, turned_round = _item(pair)
        ballots[item].add(pair, turned_round)
    for pair in again:
        item, turned_round = _item(pair)
        ballot = ballots.pop(item, None)
        if ballot is not None:
            yield ballot.pair(pair, turned_round)


class _Ballot:
    """All votes on one item: probability, margin and tie of each, as seen from the side of the smaller hash."""

    def __init__(self) -> None:
        self.votes: dict[str | int, tuple[float, float | None, bool]] = {}

    def add(self, pair: Pair, turned_round: int) -> None:
        probability, margin = (
            (1 - pair.probability, _negative(pair.margin)) if turned_round else (pair.probability, pair.margin)
        )
        self.votes[pair.annotator or len(self.votes)] = (probability, margin, pair.undecided)

    def pair(self, first: Pair, turned_round: int) -> Pair:
        """Return what the votes say; ``turned_round`` tells how the sides of the first vote stand."""
        shares, margins, ties = zip(*self.votes.values(), strict=True)
        share = sum(shares) / len(shares)
        known = [margin for margin in margins if margin is not None]
        margin = sum(known) / len(known) if known else None
        for_a = sum(one > 0.5 for one, tie in zip(shares, ties, strict=True) if not tie)
        for_b = len(ties) - sum(ties) - for_a
        tie = abs(share - 0.5) < 1e-12 or sum(ties) > max(for_a, for_b)
        if turned_round:
            share, margin = 1 - share, _negative(margin)
        voted = replace(first, probability=share, margin=margin, tie=tie, annotator="")
        return voted if share >= 0.5 - 1e-12 else turned(voted)


def _item(pair: Pair) -> tuple[int, Literal[0, 1]]:
    """Return the item that a pair is a vote on, and whether its chosen side is the one with the greater hash."""
    sides = text_hash(pair.chosen), text_hash(pair.rejected)
    return text_hash(f"{prompt_key(pair.prompt)}{min(sides):016x}{max(sides):016x}"), 1 if sides[0] > sides[1] else 0


def _negative(margin: float | None) -> float | None:
    return None if margin is None else -margin


def _observed(verdicts: Sequence[int]) -> float:
    pairs = list(itertools.combinations(verdicts, 2))
    return sum(one == other for one, other in pairs) / len(pairs)


def _cohen(items: Mapping[int, Mapping[str, int]], names: Sequence[str]) -> float | None:
    table = np.zeros((3, 3))
    for verdicts in items.values():
        if len(verdicts) == 2:
            table[verdicts[names[0]], verdicts[names[1]]] += 1
    if _one_kind(table.sum(axis=0) + table.sum(axis=1)):
        return None
    return float(_import("statsmodels.stats.inter_rater").cohens_kappa(table, return_results=False))


def _fleiss(items: Mapping[int, Mapping[str, int]]) -> tuple[float | None, int]:
    sizes = Counter(len(verdicts) for verdicts in items.values() if len(verdicts) > 1)
    if not sizes:
        return None, 0
    raters = max(sizes, key=lambda size: (sizes[size], size))
    chosen = [list(verdicts.values()) for verdicts in items.values() if len(verdicts) == raters]
    table = np.array([np.bincount(verdicts, minlength=3) for verdicts in chosen])
    if _one_kind(table.sum(axis=0)):
        return None, len(chosen)
    return float(_import("statsmodels.stats.inter_rater").fleiss_kappa(table)), len(chosen)


def _krippendorff(items: Mapping[int, Mapping[str, int]], names: Sequence[str]) -> float | None:
    shared = [verdicts for verdicts in items.values() if len(verdicts) > 1]
    counts = np.array([np.bincount(list(verdicts.values()), minlength=3) for verdicts in shared], dtype=float)
    if not shared or _one_kind(counts.sum(axis=0)):
        return None
    alpha = _import("krippendorff").alpha
    return float(alpha(value_counts=counts, value_domain=[0, 1, 2], level_of_measurement="nominal"))


def _one_kind(counts: NDArray[np.float64] | NDArray[np.int64]) -> bool:
    """Tell whether all votes are the same, or there are none: chance then agrees as well."""
    return int((counts > 0).sum()) < 2


def _annotators(items: Mapping[int, Mapping[str, int]], names: Sequence[str]) -> dict[str, AnnotatorCounts]:
    votes, ties, same, others = (dict.fromkeys(names, 0) for _ in range(4))
    for verdicts in items.values():
        kinds = Counter(verdicts.values())
        for name, verdict in verdicts.items():
            votes[name] += 1
            ties[name] += verdict == _TIE
            same[name] += kinds[verdict] - 1
            others[name] += len(verdicts) - 1
    return {
        name: AnnotatorCounts(
            votes=votes[name], ties=ties[name], agreement=same[name] / others[name] if others[name] else None
        )
        for name in names
    }


def _import(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise RewardKitError(f"agreement needs {package}: pip install 'rewardkit-rm[agreement]'") from None
