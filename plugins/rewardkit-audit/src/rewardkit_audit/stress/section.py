"""The stress cases on a page: what passed, family by family, and the replies that were preferred wrongly."""

from __future__ import annotations

from collections.abc import Sequence

from rewardkit.cli.screen import count, figure, percent
from rewardkit_audit.errors import StressError
from rewardkit_audit.report.parts import Note, Sample, Samples, Section
from rewardkit_audit.stress.cases import FAMILIES, StressCase
from rewardkit_audit.stress.outcome import FailedCase, StressOutcome

__all__ = ["stress_section"]


def stress_section(chosen: Sequence[StressCase], found: StressOutcome) -> Section:
    """Return a section for a report: a verdict's reasons in pictures, and the worst failures to look at.

    Args:
        chosen: The cases that were scored.
        found: What `outcome` made of them.

    Raises:
        StressError: If a case failed that is none of ``chosen``.
    """
    from rewardkit_audit.report.charts import Bar, bars

    by_id = {case.id: case for case in chosen}
    missing = [case.id for case in found.failed if case.id not in by_id]
    if missing:
        raise StressError(f"the outcome holds case {missing[0]}, which is none of the cases given")
    section = Section("Stress cases")
    section.add(Note(_summary(found), "warning" if found.fatal else "note"))
    drawn = [
        Bar(family.family, family.share, family.low, family.high, family.scored)
        for family in found.families
        if family.share is not None
    ]
    title = f"{found.passed:,} of {count(found.scored, 'case')} passed: the better reply scored above the worse"
    caption = "Lines are 95 % Wilson intervals."
    section.add(bars(drawn, title=title, x="cases passed", percent=True, count="cases", caption=caption))
    worst = {case.family: case for case in reversed(found.failed)}
    samples = [_sample(by_id[case.id], case) for case in found.failed if worst[case.family] is case]
    return section.add(Samples("The worst failure of each family", samples))


def _summary(found: StressOutcome) -> str:
    fatal = sum(case.fatal for case in found.failed)
    said = f"Passed: {percent(found.passed / found.scored if found.scored else None)}."
    if fatal:
        said = f"Do not train on this: in {count(fatal, 'case')}, long rambling beats the brief right answer. {said}"
    if found.unscored:
        said += f" {count(len(found.unscored), 'case')} had no score for one of the replies."
    return said


def _sample(case: StressCase, failed: FailedCase) -> Sample:
    name = f"{case.id}: {figure(failed.better_score)} for the better reply, {figure(failed.worse_score)} for the worse"
    texts = [("prompt", case.prompt), ("better", case.better), ("worse", case.worse)]
    return Sample(name, texts, FAMILIES.get(case.family, case.why))
