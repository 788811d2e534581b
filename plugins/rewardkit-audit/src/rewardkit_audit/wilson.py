"""The interval of a share."""

from __future__ import annotations

import math

__all__ = ["wilson"]

_Z = 1.959963984540054  # 95 % of a normal distribution lie within


def wilson(passed: float, n: float) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share (Wilson 1927, without correction for continuity).

    ``(p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n)`` with ``p = passed / n`` and ``z = 1.96``; within 0 and
    1, also where all or none passed.

    Args:
        passed: How many of the independent trials came true, from 0 to ``n``.
        n: The trials; no whole number where they are weighted.

    Raises:
        ValueError: If ``n`` is not positive or ``passed`` not from 0 to ``n``.

    Example:
        >>> [round(end, 4) for end in wilson(8, 10)]
        [0.4902, 0.9433]
    """
    if not (0 <= passed <= n and n > 0):
        raise ValueError(f"a share needs trials, of which none to all come true; got {passed} of {n}")
    share, square = passed / n, _Z * _Z / n
    middle = share + square / 2
    half = math.sqrt(square * (share * (1 - share) + square / 4))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))
