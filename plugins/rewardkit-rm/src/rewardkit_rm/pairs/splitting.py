"""Splitting pairs by prompt, so that no prompt is on both sides."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping

from rewardkit.errors import RewardKitError
from rewardkit_rm.pairs.pair import Pair, prompt_key

__all__ = ["DEFAULT_SHARES", "split_by_prompt", "split_of"]

DEFAULT_SHARES: Mapping[str, float] = {"train": 0.9, "validation": 0.1}
_UNIT = 2.0**-64


def split_by_prompt(
    pairs: Iterable[Pair], shares: Mapping[str, float] = DEFAULT_SHARES, seed: int = 0
) -> dict[str, list[Pair]]:
    """Split pairs so that all pairs of a prompt fall into the same split.

    Each prompt goes where a hash of seed and `prompt_key` puts it: into the first split whose shares, added up,
    exceed ``hash / 2**64``. Nothing else decides, hence:

    - Rows added, left out or put into another order never move a prompt.
    - A prompt that comes with two domains, or twice with other white space and case, is still in one split.
    - Every domain is split in these shares, not only the whole; of ``n`` prompts of a domain, a share ``p`` gets
      ``n * p`` with a standard deviation of ``sqrt(n * p * (1 - p))``. (Exact shares could not be had without
      moving prompts when rows are added.)

    Args:
        pairs: The pairs.
        shares: Names of the splits and their shares, positive and adding up to 1.
        seed: Another seed gives another split.

    Returns:
        The pairs of each split, in the order of ``pairs``; a split may be empty.

    Raises:
        RewardKitError: If the shares are not positive, or do not add up to 1.

    Example:
        >>> pairs = [Pair(f"{number} + 1?", "yes", "no") for number in range(1000)]
        >>> {name: len(part) for name, part in split_by_prompt(pairs).items()}
        {'train': 898, 'validation': 102}
    """
    _check(shares)
    found: dict[str, list[Pair]] = {name: [] for name in shares}
    for pair in pairs:
        found[split_of(prompt_key(pair.prompt), shares, seed)].append(pair)
    return found


def split_of(key: str, shares: Mapping[str, float] = DEFAULT_SHARES, seed: int = 0) -> str:
    """Return the split that a prompt belongs to; see `split_by_prompt`.

    Args:
        key: What `prompt_key` says of the prompt.
        shares: Names of the splits and their shares.
        seed: The seed.

    Raises:
        RewardKitError: If the shares are not positive, or do not add up to 1.
    """
    _check(shares)
    place = int.from_bytes(hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()) * _UNIT
    reached = 0.0
    for name, share in shares.items():
        reached += share
        if place < reached:
            return name
    return list(shares)[-1]


def _check(shares: Mapping[str, float]) -> None:
    told = ", ".join(f"{name} {share:g}" for name, share in shares.items()) or "none"
    if not shares or not all(math.isfinite(share) and share > 0 for share in shares.values()):
        raise RewardKitError(f"shares of the splits must be positive numbers, got {told}")
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise RewardKitError(f"shares of the splits must add up to 1, got {told} = {sum(shares.values()):g}")
