"""The checks of preference data, on fingerprints."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from rewardkit.cli.screen import count
from rewardkit_rm.pairs.fingerprints import Fingerprints
from rewardkit_rm.pairs.share import Share

__all__ = ["Finding", "Findings", "Level"]

Level = Literal["error", "warning", "note"]

_ORDER: dict[Level, int] = {"error": 0, "warning": 1, "note": 2}
_EXAMPLES = 5
_TIES = 0.30
_LENGTH = 0.05
_CONSTANT_PROMPTS = 10
_CONSTANT_WINS = 0.9
_CONSTANT_ERROR = 0.02
_ONE_SIDED = 0.5
_FEW = 30
_LARGE_MARGIN = 10.0
_A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)

_Rows = NDArray[np.bool_]


class Finding(BaseModel):
    """One thing that is wrong, or worth knowing.

    Attributes:
        check: Which check, as in ``near-duplicates``.
        level: ``error``: do not train on this; ``warning``: look at it; ``note``: good to know.
        message: What was found, with numbers.
        count: Of how many pairs it is true.
        share: The same as a share of all pairs; 0 without pairs.
        examples: Where the first five of them are.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    check: str
    level: Level
    message: str
    count: int
    share: float
    examples: tuple[str, ...] = ()


class Findings:
    """All checks over the same pairs.

    ========================= ======= ================================================================
    check                     level   found where
    ========================= ======= ================================================================
    empty                     error   there is no pair
    no-preference             error   every pair is a tie, has equal sides or weighs nothing
    one-sided                 error   one text, or nothing, is the same side of at least half of all
                                      pairs (of at least 10 prompts)
    constant-chosen           error   the same text is chosen for at least 10 prompts, and wins at
                                      least 90 % of the prompts where it occurs; a warning below 2 %
                                      of all pairs
    leakage                   error   a prompt is also in another set
    broken-numbers            error   a probability, margin or weight is out of range or not finite
    broken-text               error   a text holds half of a surrogate pair
    constant-rejected         warning the same text is rejected for at least 10 prompts, and loses at
                                      least 90 %
    identical-sides           warning chosen equals rejected, and it is no tie
    identical-after-encoding  warning other sides, but the same token ids
    unfit                     warning a side cannot be encoded: too long even without its prompt
    contradictions            warning the same two sides with another verdict, of the same annotator
                                      or of nobody in particular
    duplicates                warning the same prompt, sides, verdict and annotator again
    empty-side                warning a side holds nothing but white space
    empty-prompt              warning a prompt holds nothing but white space
    turned                    warning the probability of chosen is below 0.5
    ties                      warning more than 30 % are ties
    length                    warning longer (or shorter) wins, by 55 % at the lower end of the
                                      interval; over all pairs, or in a domain
    margins                   warning a margin is negative, above 10, or on a tie
    near-duplicates           note    as duplicates, but for white space and case
    near-identical-sides      note    chosen equals rejected but for white space and case, which may
                                      be what the prompt is about
    disagreement              note    the same two sides with another verdict of another annotator
    votes                     note    several annotators judged the same two sides
    margins-unknown           note    some pairs have a margin and others do not
    domain-unknown            note    some pairs have a domain and others do not
    small-domains             note    a domain has fewer than 30 pairs
    ========================= ======= ================================================================

    Prompts are the same if they differ in white space and case only. Sides are the same if they are equal, where
    not said otherwise; ``one-sided`` and ``constant-*`` do not mind white space and case.

    Args:
        seen: The pairs.
    """

    def __init__(self, seen: Fingerprints) -> None:
        self.seen = seen
        self.same = seen.exact[0] == seen.exact[1]
        self.items = _Items(seen)

    def all(
        self,
        others: Mapping[str, NDArray[np.uint64]],
        longer: Share,
        domains: Mapping[str, Share],
        encoded: bool,
    ) -> list[Finding]:
        """Return everything that was found, errors first.

        Args:
            others: Hashes of the prompts of other sets, by name, shape ``(M,)``.
            longer: How often the longer side is chosen.
            domains: The same by domain.
            encoded: Whether the pairs were encoded.
        """
        if not len(self.seen):
            return [Finding(check="empty", level="error", message="there are no pairs", count=0, share=0.0)]
        found = itertools.chain(
            self.preference(),
            self.one_sided(),
            self.constant("chosen"),
            self.constant("rejected"),
            *(self.leakage(name, prompts) for name, prompts in others.items()),
            self.numbers(),
            self.texts(),
            self.identical(encoded),
            self.repeated(),
            self.verdicts(),
            self.ties(),
            self.length("", longer),
            *(self.length(name, share) for name, share in domains.items()),
            self.margins(),
            self.domains(),
        )
        return sorted(found, key=lambda finding: _ORDER[finding.level])

    def preference(self) -> Iterator[Finding]:
        """Find that nothing can be learned at all."""
        usable = ~self.seen.tie & ~self.same & (self.seen.weight > 0)
        if not usable.any():
            ties, same = int(self.seen.tie.sum()), int((self.same & ~self.seen.tie).sum())
            message = f"no pair prefers one side: {ties:,} ties, {same:,} with equal sides, the rest weighs nothing"
            yield self._finding("no-preference", "error", ~usable, message)

    def one_sided(self) -> Iterator[Finding]:
        """Find one text on the same side of most pairs; an empty text is one, too."""
        for side, name in enumerate(("chosen", "rejected")):
            texts, first, counts = np.unique(self.seen.folded[side], return_index=True, return_counts=True)
            most = int(counts.argmax())
            rows = self.seen.folded[side] == texts[most]
            prompts = len(np.unique(self.seen.prompt[rows]))
            if counts[most] >= _ONE_SIDED * len(self.seen) and prompts >= _CONSTANT_PROMPTS:
                what = "empty" if self.seen.blank[side, first[most]] else "one and the same text"
                message = f"the {name} side is {what} in {self._told(rows)}: a model only has to know that text"
                yield self._finding("one-sided", "error", rows, message)

    def constant(self, side: Literal["chosen", "rejected"]) -> Iterator[Finding]:
        """Find texts that win, or lose, whatever the prompt is.

        An attack text that a judge prefers to everything teaches that text, and raises the accuracy on held-out
        pairs with it: AlpacaEval's NullModel answers all 805 prompts with one string.
        """
        mine, other = (0, 1) if side == "chosen" else (1, 0)
        usable = ~self.seen.tie & ~self.seen.blank[mine] & ~self.same
        wins, losses = self._prompts_by_text(mine, usable), self._prompts_by_text(other, usable)
        against = np.array([losses.get(text, 0) for text in wins], dtype=np.int64)
        counts = np.fromiter(wins.values(), dtype=np.int64, count=len(wins))
        always = (counts >= _CONSTANT_PROMPTS) & (counts >= _CONSTANT_WINS * (counts + against))
        if not always.any():
            return
        texts = np.fromiter(wins, dtype=np.uint64, count=len(wins))[always]
        rows = usable & np.isin(self.seen.folded[mine], texts)
        _, firsts = np.unique(self.seen.folded[mine][rows], return_index=True)
        most = int(counts[always].max())
        told = "one text is" if len(texts) == 1 else f"{len(texts):,} texts are each"
        message = (
            f"{told} the {side} side whatever the prompt is, the commonest of {most:,} prompts; {self._told(rows)}"
        )
        grave = side == "chosen" and rows.mean() >= _CONSTANT_ERROR
        yield self._finding(f"constant-{side}", "error" if grave else "warning", rows, message, firsts)

    def leakage(self, name: str, prompts: NDArray[np.uint64]) -> Iterator[Finding]:
        """Find prompts that are also in another set."""
        rows = np.isin(self.seen.prompt, prompts)
        if rows.any():
            shared = len(np.unique(self.seen.prompt[rows]))
            message = f"{count(shared, 'prompt')} of {self._told(rows)} also in {name}"
            yield self._finding("leakage", "error", rows, message)

    def numbers(self) -> Iterator[Finding]:
        """Find numbers that no loss can take, and sides that are named the wrong way round."""
        seen = self.seen
        wrong = ~((seen.probability >= 0) & (seen.probability <= 1)) | ~((seen.weight >= 0) & (seen.weight < np.inf))
        yield from self._some("broken-numbers", "error", wrong | np.isinf(seen.margin), "a number out of range")
        turned = seen.probability < 0.5
        yield from self._some("turned", "warning", turned, "a probability below 0.5: the chosen side is the worse one")

    def texts(self) -> Iterator[Finding]:
        """Find texts that are empty or that nothing can encode."""
        seen = self.seen
        yield from self._some("broken-text", "error", seen.broken, "half of a surrogate pair: no tokenizer reads it")
        for blank, name in zip(seen.blank, ("chosen", "rejected"), strict=True):
            yield from self._some("empty-side", "warning", blank, f"an empty {name} side")
        yield from self._some("empty-prompt", "warning", seen.blank_prompt, "an empty prompt")

    def identical(self, encoded: bool) -> Iterator[Finding]:
        """Find sides between which nothing is to choose."""
        prefers = ~self.seen.tie
        message = "chosen equals rejected: the gradient is zero"
        yield from self._some("identical-sides", "warning", self.same & prefers, message)
        near = (self.seen.folded[0] == self.seen.folded[1]) & ~self.same & prefers
        message = "chosen equals rejected but for white space and case; is the prompt about these?"
        yield from self._some("near-identical-sides", "note", near, message)
        if encoded:
            rows = self.seen.same_ids & ~self.same & prefers
            message = "sides that are the same token ids, after truncation or by the tokenizer"
            yield from self._some("identical-after-encoding", "warning", rows, message)
            yield from self._some("unfit", "warning", self.seen.unfit, "a side that does not fit into the model")

    def repeated(self) -> Iterator[Finding]:
        """Find pairs that stand there again."""
        exact = _again(self.items.exact)
        yield from self._some("duplicates", "warning", exact, "a repetition of an earlier pair")
        near = _again(self.items.folded) & ~exact
        message = "a repetition of an earlier pair but for white space and case"
        yield from self._some("near-duplicates", "note", near, message)

    def verdicts(self) -> Iterator[Finding]:
        """Find sides that were judged again, and otherwise."""
        items = self.items
        contradiction = items.conflict & ~items.voted & ~self.same
        message = "the same two sides with another verdict elsewhere (sides swapped, or a tie)"
        yield from self._some("contradictions", "warning", contradiction, message)
        yield from self._some("disagreement", "note", items.conflict & items.voted, "annotators that disagree")
        message = "several annotators of the same two sides; rewardkit rm data annotators makes one pair of them"
        yield from self._some("votes", "note", items.voted, message)

    def ties(self) -> Iterator[Finding]:
        """Find that there are too many ties."""
        if self.seen.tie.mean() > _TIES:
            message = (
                f"{self._told(self.seen.tie)} are ties; above 30 % the question is too hard, or the sides too alike"
            )
            yield self._finding("ties", "warning", self.seen.tie, message)

    def length(self, domain: str, share: Share) -> Iterator[Finding]:
        """Find that the length alone tells which side is chosen."""
        if share.share is None or share.low is None or share.high is None:
            return
        if share.low > 0.5 + _LENGTH or share.high < 0.5 - _LENGTH:
            place = f"in {domain}, " if domain else ""
            rule, wins = ("longer", share.share) if share.share > 0.5 else ("shorter", 1 - share.share)
            message = (
                f"{place}the {rule} side is chosen in {_percent(wins)} of {share.total:,} pairs whose sides differ "
                f"in length (95 % interval of longer: {_percent(share.low)} to {_percent(share.high)})"
            )
            rows = ~self.seen.tie & (self.seen.longer == (1 if rule == "longer" else -1))
            if domain:
                rows &= self.seen.domain == list(self.seen.domains).index(domain)
            yield self._finding("length", "warning", rows, message, ())

    def margins(self) -> Iterator[Finding]:
        """Find margins that do not fit their pairs."""
        seen, known = self.seen, ~np.isnan(self.seen.margin)
        margin = np.where(known, seen.margin, 0.0)
        odd = ((margin < 0) & ~seen.tie, "a negative margin"), ((margin != 0) & seen.tie, "a margin, but is a tie")
        large = np.abs(margin) > _LARGE_MARGIN, f"a margin above {_LARGE_MARGIN:g}, in units of the reward"
        for rows, what in (*odd, large):
            yield from self._some("margins", "warning", rows, what)
        if known.any():
            yield from self._some("margins-unknown", "note", ~known & ~seen.tie, "no margin, while others have one")

    def domains(self) -> Iterator[Finding]:
        """Find pairs without a domain, and domains too small to tell anything of."""
        nameless = np.array([not name for name in self.seen.domains])[self.seen.domain]
        if not nameless.all():
            yield from self._some("domain-unknown", "note", nameless, "no domain, while others have one")
            counts = np.bincount(self.seen.domain)
            small = [name for name, pairs in zip(self.seen.domains, counts, strict=True) if name and pairs < _FEW]
            if small:
                rows = (counts < _FEW)[self.seen.domain] & ~nameless
                shown = ", ".join(small[:_EXAMPLES]) + (", …" if len(small) > _EXAMPLES else "")
                message = f"fewer than {_FEW} pairs of {count(len(small), 'domain')} ({shown})"
                yield self._finding("small-domains", "note", rows, message)

    def _prompts_by_text(self, side: int, rows: _Rows) -> dict[int, int]:
        """Return on how many different prompts each text is this side, of those that are it on several."""
        texts, prompts = self.seen.folded[side][rows], self.seen.prompt[rows]
        _, firsts = np.unique(texts + _A * prompts, return_index=True)
        found, counts = np.unique(texts[firsts], return_counts=True)
        often = counts > 1
        return dict(zip(found[often].tolist(), counts[often].tolist(), strict=True))

    def _some(self, check: str, level: Level, rows: _Rows, what: str) -> Iterator[Finding]:
        if rows.any():
            yield self._finding(check, level, rows, f"{self._told(rows)}: {what}")

    def _told(self, rows: _Rows) -> str:
        return f"{count(int(rows.sum()), 'pair')} ({_percent(float(rows.mean()))})"

    def _finding(
        self, check: str, level: Level, rows: _Rows, message: str, examples: Iterable[int] | None = None
    ) -> Finding:
        """Make a finding; ``examples`` are positions among ``rows``, without them the first ones."""
        places = np.flatnonzero(rows)
        shown = places[:_EXAMPLES] if examples is None else places[list(examples)[:_EXAMPLES]]
        return Finding(
            check=check,
            level=level,
            message=message,
            count=len(places),
            share=float(rows.mean()),
            examples=tuple(self.seen.where(int(row)) for row in shown),
        )


class _Items:
    """What was judged: two sides of one prompt, in whichever order they stand.

    Attributes:
        exact: A number for each different prompt, sides, verdict and annotator, shape ``(N,)``.
        folded: The same without differences in white space and case.
        conflict: Whether the sides of a pair have another verdict elsewhere.
        voted: Whether the sides of a pair were judged by several annotators.
    """

    def __init__(self, seen: Fingerprints) -> None:
        item, turned = _unordered(seen.prompt, seen.exact)
        verdict = np.where(seen.tie, 2, turned)
        self.conflict = _kinds(item, verdict) > 1
        self.voted = _kinds(item, seen.annotator) > 1
        self.exact = (item * 3 + verdict) * len(seen.annotators) + seen.annotator
        item, turned = _unordered(seen.prompt, seen.folded)
        self.folded = (item * 3 + np.where(seen.tie, 2, turned)) * len(seen.annotators) + seen.annotator


def _unordered(prompt: NDArray[np.uint64], sides: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a number for each prompt and its two sides in any order, and whether the sides are turned round."""
    mixed = prompt + _A * sides.min(axis=0, initial=2**64 - 1) + _B * sides.max(axis=0, initial=0)
    return np.unique(mixed, return_inverse=True)[1], (sides[0] > sides[1]).astype(np.int64)


def _kinds(item: NDArray[np.int64], value: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return of how many different values, whole numbers from 0, the item of each row is."""
    size = int(value.max(initial=0)) + 1
    different = np.unique(item * size + value) // size
    return np.bincount(different, minlength=1)[item]


def _again(numbers: NDArray[np.int64]) -> _Rows:
    """Tell which rows repeat an earlier number."""
    again = np.ones(len(numbers), dtype=bool)
    again[np.unique(numbers, return_index=True)[1]] = False
    return again


def _percent(share: float) -> str:
    return "<0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %"
