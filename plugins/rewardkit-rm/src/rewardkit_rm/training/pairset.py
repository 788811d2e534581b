"""Pairs as a model reads them: every text encoded once, unusable pairs left out and counted."""

from __future__ import annotations

import itertools
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from torch.utils.data import Dataset

from rewardkit.cli.screen import count
from rewardkit_rm.models.encoding import Encoded, ResponseEncoder
from rewardkit_rm.pairs.pair import Pair, Prompt
from rewardkit_rm.training.config import LossKind
from rewardkit_rm.training.objective import targets_of, uses_ties

__all__ = ["Counts", "Example", "PairSet", "TokenCollator", "collate_features", "encode_pairs"]

_CHUNK = 512


class Counts(BaseModel):
    """What became of the pairs of a set."""

    model_config = ConfigDict(strict=True, extra="forbid", defer_build=True)

    pairs: int = 0
    used: int = 0
    identical: int = 0
    identical_when_cut: int = 0
    too_long: int = 0
    unreadable: int = 0
    ties_left_out: int = 0
    prompts_cut: int = 0

    def told(self) -> str:
        """Say what was left out and cut, or nothing.

        >>> Counts(pairs=10, used=7, too_long=1, ties_left_out=2, prompts_cut=3).told()
        '3 of 10 pairs left out (a completion that does not fit: 1, a tie: 2); the prompt of 3 used pairs cut to fit'
        """
        reasons = {
            "identical sides": self.identical,
            "sides identical as tokens": self.identical_when_cut,
            "a completion that does not fit": self.too_long,
            "text that cannot be encoded": self.unreadable,
            "a tie": self.ties_left_out,
        }
        causes = ", ".join(f"{reason}: {number:,}" for reason, number in reasons.items() if number)
        left_out = f"{self.pairs - self.used:,} of {count(self.pairs, 'pair')} left out ({causes})" if causes else ""
        cut = f"the prompt of {count(self.prompts_cut, 'used pair')} cut to fit" if self.prompts_cut else ""
        return "; ".join(filter(None, (left_out, cut)))


class Example(NamedTuple):
    """One pair as the model reads it: tokens, or features, of both sides, and the targets."""

    chosen: Any
    rejected: Any
    targets: tuple[float, float, float, float]


class _Tokens(NamedTuple):
    """Tokens in a ninth of the memory that lists of numbers take."""

    ids: array[int]
    kinds: array[int] | None

    @classmethod
    def of(cls, encoded: Encoded) -> _Tokens:
        kinds = encoded.token_type_ids
        return cls(array("i", encoded.input_ids), None if kinds is None else array("b", kinds))

    def encoded(self) -> Encoded:
        return Encoded(self.ids.tolist(), None if self.kinds is None else self.kinds.tolist())


@dataclass
class PairSet(Dataset[Example]):
    """Pairs of one file or split.

    Attributes:
        name: As in ``train``, ``validation``, or the name of another domain.
        counts: What became of the pairs.
        texts: Each prompt with one of its completions, once.
        sides: Positions of the chosen and the rejected text of each pair that is used.
        targets: What the loss wants to know of each.
        content: Tokens of each text; features of each text, shape ``(texts, H)``, where the backbone is frozen.
    """

    name: str
    counts: Counts
    texts: list[tuple[Prompt, str]] = field(default_factory=list)
    sides: list[tuple[int, int]] = field(default_factory=list)
    targets: list[tuple[float, float, float, float]] = field(default_factory=list)
    content: Sequence[_Tokens] | Tensor = ()

    def __len__(self) -> int:
        return len(self.sides)

    def __getitem__(self, index: int) -> Example:
        chosen, rejected = self.sides[index]
        return Example(self.content[chosen], self.content[rejected], self.targets[index])


class _Text(NamedTuple):
    tokens: _Tokens | None
    cut: bool
    too_long: bool


def encode_pairs(
    name: str,
    pairs: Iterable[Pair],
    encoder: ResponseEncoder,
    loss: LossKind,
    advance: Callable[[int], object] = lambda by: None,
) -> PairSet:
    """Encode pairs; those that teach nothing under the loss are left out and counted.

    Left out are pairs with identical sides, as text or as tokens (their gradient is zero), those with a completion
    that does not fit or cannot be encoded, and ties, unless the loss uses them.

    Args:
        name: Name of the set.
        pairs: The pairs.
        encoder: Turns text into tokens.
        loss: The loss they are for.
        advance: Called with the number of pairs done since the last call.
    """
    found = PairSet(name, Counts())
    encoded: list[_Text] = []
    places: dict[tuple[str, str], int] = {}
    for chunk in _chunks(pairs):
        sides = [(_place(places, pair, pair.chosen), _place(places, pair, pair.rejected)) for pair in chunk]
        fresh = _fresh(chunk, sides, len(encoded))
        found.texts += fresh
        if fresh:
            prompts, completions = zip(*fresh, strict=True)
            encoded += [_text(item) for item in encoder.encode_batch(prompts, completions)]
        for pair, (chosen, rejected) in zip(chunk, sides, strict=True):
            if _count(found.counts, pair, encoded[chosen], encoded[rejected], loss):
                found.sides.append((chosen, rejected))
                found.targets.append(targets_of(pair))
        advance(len(chunk))
    empty = _Tokens(array("i"), None)
    found.content = [text.tokens or empty for text in encoded]
    return found


def _chunks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    rest = iter(pairs)
    while chunk := list(itertools.islice(rest, _CHUNK)):
        yield chunk


def _place(places: dict[tuple[str, str], int], pair: Pair, completion: str) -> int:
    prompt = pair.prompt if isinstance(pair.prompt, str) else json.dumps([dict(turn) for turn in pair.prompt])
    return places.setdefault((f"{type(pair.prompt).__name__}:{prompt}", completion), len(places))


def _fresh(chunk: list[Pair], sides: list[tuple[int, int]], known: int) -> list[tuple[Prompt, str]]:
    """Return the texts that were not there before, in the order of their places."""
    texts: dict[int, tuple[Prompt, str]] = {}
    for pair, (chosen, rejected) in zip(chunk, sides, strict=True):
        texts[chosen], texts[rejected] = (pair.prompt, pair.chosen), (pair.prompt, pair.rejected)
    return [texts[place] for place in sorted(texts) if place >= known]


def _text(encoded: Encoded) -> _Text:
    return _Text(None if encoded.problem else _Tokens.of(encoded), encoded.cut > 0, encoded.too_long)


def _count(counts: Counts, pair: Pair, chosen: _Text, rejected: _Text, loss: LossKind) -> bool:
    """Count a pair, and tell whether it is used."""
    counts.pairs += 1
    if pair.chosen == pair.rejected:
        counts.identical += 1
    elif chosen.too_long or rejected.too_long:
        counts.too_long += 1
    elif chosen.tokens is None or rejected.tokens is None:
        counts.unreadable += 1
    elif chosen.tokens == rejected.tokens:
        counts.identical_when_cut += 1
    elif targets_of(pair)[0] and not uses_ties(loss):
        counts.ties_left_out += 1
    else:
        counts.used += 1
        counts.prompts_cut += chosen.cut or rejected.cut
        return True
    return False


def _targets(examples: Sequence[Example]) -> Tensor:
    return torch.tensor([example.targets for example in examples])


class TokenCollator:
    """Make a batch of tokens: the chosen sides of all pairs, then the rejected ones."""

    def __init__(self, encoder: ResponseEncoder) -> None:
        self.encoder = encoder

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return ``targets``, shape ``(B, 4)``, and tokens, shape ``(2B, L)``."""
        sides = [*(example.chosen for example in examples), *(example.rejected for example in examples)]
        return {"targets": _targets(examples), **self.encoder.pad([side.encoded() for side in sides])}


def collate_features(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Return ``targets``, shape ``(B, 4)``, and ``features``, shape ``(2B, H)``: chosen sides, then rejected ones."""
    sides = [*(example.chosen for example in examples), *(example.rejected for example in examples)]
    return {"targets": _targets(examples), "features": torch.stack(sides)}
