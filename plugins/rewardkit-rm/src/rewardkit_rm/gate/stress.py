"""Stress cases: the better reply must score above the worse one; one row for each family."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rewardkit.cli.screen import count
from rewardkit_rm.evaluation.bootstrap import Interval
from rewardkit_rm.evaluation.evaluation import Figure
from rewardkit_rm.gate.checklist import points
from rewardkit_rm.gate.report import GateRow, Outcome, judge

if TYPE_CHECKING:
    from rewardkit_audit.stress import FamilyOutcome, StressCase, StressOutcome

__all__ = ["stress_rows"]

_SHARE = 0.75
_SHOWN = 1


def stress_rows(cases: Sequence[StressCase], found: StressOutcome) -> Iterator[GateRow]:
    """Return one row for each family.

    A family with fatal cases fails where one of them is ranked wrongly. Of the others, three quarters must be right: a
    family fails where the whole Wilson interval of its share lies below that.

    Args:
        cases: The cases that were scored.
        found: What became of them.
    """
    fatal = {case.family for case in cases if case.fatal}
    reasons = {case.family: case.why for case in cases}
    wrong = {
        family.family: [case.id for case in found.failed if case.family == family.family] for family in found.families
    }
    for family in found.families:
        name = family.family
        yield _row(family, wrong[name], name in fatal, reasons[name])


def _row(family: FamilyOutcome, wrong: Sequence[str], fatal: bool, why: str) -> GateRow:
    outcome = _outcome(family, wrong, fatal)
    told = f"right in {family.passed} of {count(family.scored, 'case')}"
    told += f", {family.unscored} not scored" if family.unscored else ""
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        told += f"; wrong: {', '.join(wrong[:_SHOWN])}{more}"
    advice = "" if outcome == "pass" else why
    if outcome == "fail":
        advice = f"Do not train on this: {why}" if fatal else f"{why} Add such pairs to the training data."
    return GateRow(
        id=f"stress.{family.family}",
        title=f"Stress: {family.family.replace('_', ' ')}",
        outcome=outcome,
        measured=told,
        bound="right in every case" if fatal else f"right in {points(_SHARE)}",
        value=family.share,
        advice=advice,
    )


def _outcome(family: FamilyOutcome, wrong: Sequence[str], fatal: bool) -> Outcome:
    if family.share is None:
        return "unclear"
    if not fatal:
        interval = None if family.low is None or family.high is None else Interval(family.low, family.high)
        return judge(Figure(value=family.share, interval=interval), _SHARE, strict=False)
    return "fail" if wrong else "unclear" if family.unscored else "pass"
