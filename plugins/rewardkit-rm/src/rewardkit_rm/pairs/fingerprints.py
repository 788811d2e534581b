"""What checks remember of pairs: hashes and numbers, about 100 bytes a pair, never a text."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rewardkit_rm.pairs.pair import Pair, Prompt, prompt_key, text_of

__all__ = ["Encode", "Fingerprints", "fold", "prompt_hash", "text_hash"]

Encode = Callable[[Prompt, str], Sequence[int] | None]
"""Turns a prompt and a completion into the token ids that the model sees, cut where they are too long; None where
they cannot be made to fit."""

_NUMBERED = re.compile(r"(.*?)(0|[1-9][0-9]{0,15})", re.DOTALL)
_Side = Literal["chosen", "rejected"]


def fold(text: str) -> str:
    r"""Return a text without differences in white space and case.

    >>> fold(" Yes,\n  really ")
    'yes, really'
    """
    return " ".join(text.casefold().split())


def text_hash(text: str) -> int:
    """Return a hash of 64 bits, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())


def prompt_hash(prompt: Prompt) -> int:
    """Return the first 64 bits of `prompt_key`."""
    return int(prompt_key(prompt)[:16], 16)


@dataclass(frozen=True)
class Fingerprints:
    """Pairs as columns of hashes and numbers; arrays of shape ``(N,)``.

    Attributes:
        prompt: Hash of the prompt; white space and case do not count.
        exact: Hashes of chosen and rejected, shape ``(2, N)``.
        folded: The same without differences in white space and case.
        blank: Whether chosen and rejected hold nothing but white space, shape ``(2, N)``.
        longer: 1 where chosen has more characters than rejected, -1 where it has fewer, 0 where as many.
        tie: Whether the pair is a tie: said so, or of probability 0.5.
        blank_prompt: Whether the prompt holds nothing but white space.
        broken: Whether a text holds half of a surrogate pair, which no tokenizer reads.
        same_ids: Whether both sides are the same token ids; all False without ``encode``.
        unfit: Whether ``encode`` gave None for a side.
        probability: As in `Pair`.
        margin: As in `Pair`; nan where unknown.
        weight: As in `Pair`.
        domain: Number of the domain in ``domains``.
        annotator: Number of the annotator in ``annotators``.
        domains: Names of the domains.
        annotators: Names of the annotators.
    """

    prompt: NDArray[np.uint64]
    exact: NDArray[np.uint64]
    folded: NDArray[np.uint64]
    blank: NDArray[np.bool_]
    longer: NDArray[np.int8]
    tie: NDArray[np.bool_]
    blank_prompt: NDArray[np.bool_]
    broken: NDArray[np.bool_]
    same_ids: NDArray[np.bool_]
    unfit: NDArray[np.bool_]
    probability: NDArray[np.float64]
    margin: NDArray[np.float64]
    weight: NDArray[np.float64]
    domain: NDArray[np.int64]
    annotator: NDArray[np.int64]
    domains: Sequence[str]
    annotators: Sequence[str]
    _places: tuple[Sequence[str], array[int], array[int]]

    @classmethod
    def of(cls, pairs: Iterable[Pair], encode: Encode | None = None) -> Fingerprints:
        """Go once through pairs."""
        taken = _Taken()
        for pair in pairs:
            taken.add(pair, encode)
        return taken.fingerprints()

    def __len__(self) -> int:
        return len(self.prompt)

    def where(self, row: int) -> str:
        """Return file and line of a pair; without one, its number from 1 on."""
        stems, stem, number = self._places
        found = stems[stem[row]] + (str(number[row]) if number[row] >= 0 else "")
        return found or f"pair {row + 1}"


class _Taken:
    """Growing columns."""

    def __init__(self) -> None:
        self.prompt = array("Q")
        self.hashes = [array("Q") for _ in range(4)]
        self.flags = [array("b") for _ in range(8)]
        self.numbers = [array("d") for _ in range(3)]
        self.named = [array("q") for _ in range(3)]
        self.names: list[dict[str, int]] = [{}, {}, {}]
        self.line = array("q")

    def add(self, pair: Pair, encode: Encode | None) -> None:
        self.prompt.append(prompt_hash(pair.prompt))
        _append(self.hashes, [*map(text_hash, (pair.chosen, pair.rejected, fold(pair.chosen), fold(pair.rejected)))])
        _append(self.flags, _flags(pair, encode))
        _append(self.numbers, [pair.probability, np.nan if pair.margin is None else pair.margin, pair.weight])
        stem, line = _place(pair.where)
        self.line.append(line)
        for column, known, name in zip(self.named, self.names, (pair.domain, pair.annotator, stem), strict=True):
            column.append(known.setdefault(name, len(known)))

    def fingerprints(self) -> Fingerprints:
        exact_and_folded = np.array(self.hashes, dtype=np.uint64).reshape(2, 2, -1)
        chosen_blank, rejected_blank, longer, tie, blank_prompt, broken, same_ids, unfit = (
            np.array(column, dtype=np.int8) for column in self.flags
        )
        probability, margin, weight = np.array(self.numbers, dtype=np.float64)
        domain, annotator = np.array(self.named[:2], dtype=np.int64)
        return Fingerprints(
            prompt=np.array(self.prompt, dtype=np.uint64),
            exact=exact_and_folded[0],
            folded=exact_and_folded[1],
            blank=np.array([chosen_blank, rejected_blank], dtype=bool),
            longer=longer,
            tie=tie.astype(bool),
            blank_prompt=blank_prompt.astype(bool),
            broken=broken.astype(bool),
            same_ids=same_ids.astype(bool),
            unfit=unfit.astype(bool),
            probability=probability,
            margin=margin,
            weight=weight,
            domain=domain,
            annotator=annotator,
            domains=list(self.names[0]),
            annotators=list(self.names[1]),
            _places=(list(self.names[2]), self.named[2], self.line),
        )


def _append(columns: Sequence[array[Any]], values: Iterable[Any]) -> None:
    for column, value in zip(columns, values, strict=True):
        column.append(value)


def _flags(pair: Pair, encode: Encode | None) -> list[int]:
    sides, prompt = (pair.chosen, pair.rejected), text_of(pair.prompt)
    lengths = len(pair.chosen), len(pair.rejected)
    same_ids, unfit = _compared(pair, encode) if encode is not None else (False, False)
    return [
        *(not side.strip() for side in sides),
        (lengths[0] > lengths[1]) - (lengths[0] < lengths[1]),
        pair.undecided,
        not prompt.strip(),
        any(map(_broken, (prompt, *sides))),
        same_ids,
        unfit,
    ]


def _compared(pair: Pair, encode: Encode) -> tuple[bool, bool]:
    """Tell whether both sides are the same token ids, and whether one has none."""
    chosen, rejected = encode(pair.prompt, pair.chosen), encode(pair.prompt, pair.rejected)
    if chosen is None or rejected is None:
        return False, True
    return list(chosen) == list(rejected), False


def _broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _place(where: str) -> tuple[str, int]:
    """Cut the number off a place, as the many places of a file share all but their number."""
    match = _NUMBERED.fullmatch(where)
    return (match[1], int(match[2])) if match else (where, -1)
