"""What counts as equal where the field disagrees, and what a comparison found."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

__all__ = ["Arithmetic", "Bases", "Fractions", "Order", "Percent", "Policy", "Settlement", "Units"]

Percent: TypeAlias = Literal["either", "sign", "value"]
Units: TypeAlias = Literal["optional", "required"]
Bases: TypeAlias = Literal["optional", "required"]
Order: TypeAlias = Literal["brackets", "any", "all"]
Fractions: TypeAlias = Literal["any", "reduced"]
Arithmetic: TypeAlias = Literal["computed", "any"]


class Policy(NamedTuple):
    r"""What counts as equal where the field disagrees.

    Attributes:
        percent: ``either``: 50% equals 50 and 0.5; ``sign``: only 50; ``value``: only 0.5.
        units: ``optional``: a unit counts only where both sides have one; ``required``: both or neither.
        bases: ``optional``: the base in ``506_7`` counts only where both sides have one; ``required``: both or neither.
        order: ``brackets``: tuples and intervals in order, lists and sets not; ``any``: tuples in any order too;
            ``all``: lists in order too.
        fractions: ``any``: ``\frac{4}{8}`` equals ``\frac{1}{2}``; ``reduced``: an answer in lowest terms
            only. Checked after the comparison, as is ``arithmetic``: see `finished.unfinished`.
        rounding: Least number of significant digits with which a decimal equals the exact value that it rounds;
            None: no rounding.
        arithmetic: ``computed``: what is left to compute, such as ``17 \times 24`` or a sum over a variable, is no
            answer where the reference holds only numbers; ``any``: it is.
    """

    percent: Percent = "either"
    units: Units = "optional"
    bases: Bases = "optional"
    order: Order = "brackets"
    fractions: Fractions = "any"
    rounding: int | None = 10
    arithmetic: Arithmetic = "computed"


class Settlement(NamedTuple):
    """``equal`` is None where it is undecided; ``close`` says that it is so only for want of a proof."""

    equal: bool | None
    reason: str
    close: bool = False
