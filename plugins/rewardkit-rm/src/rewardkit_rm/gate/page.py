"""The report of the gate as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence

from rewardkit_audit.report import Fact, Facts, Note, Page, Sample, Samples, Section, Table, Verdict
from rewardkit_audit.stress import stress_section

from rewardkit.cli.screen import count, figure
from rewardkit_rm.evaluation.evaluation import PairSample
from rewardkit_rm.gate.check import Checked
from rewardkit_rm.gate.checklist import points
from rewardkit_rm.gate.report import GateReport, GateRow

__all__ = ["gate_page"]

_STRESS = "stress."


def gate_page(checked: Checked) -> Page:
    """Return the page: the verdict and its reasons, every row, what to do, and pairs to look at."""
    report, evaluation = checked.report, checked.evaluation
    page = Page("Reward model check", f"{report.model}, {count(report.pairs, 'held-out pair')}")
    page.add(Verdict(report.passed, report.sentence, report.reasons), _facts(checked))
    stress = [row for row in report.rows if row.id.startswith(_STRESS)]
    page.add(Section("Checklist", [_table([row for row in report.rows if row not in stress])]))
    page.add(stress_section(checked.cases, checked.stress).add(_table(stress)))
    page.add(_advice(report))
    title = "Pairs that the model is most surely wrong about"
    worst = [sample for sample in evaluation.samples.worst if sample.margin < 0]
    return page.add(Section("Look at these", [Samples(title, list(map(_sample, worst)))])) if worst else page


def _facts(checked: Checked) -> Facts:
    evaluation = checked.evaluation
    interval, margin = evaluation.accuracy_interval, evaluation.mean_margin
    within = f"95 % interval {points(interval.low)} to {points(interval.high)}" if interval else ""
    spread = f"95 % interval {figure(margin.interval.low)} to {figure(margin.interval.high)}" if margin.interval else ""
    return Facts(
        [
            Fact("Accuracy", points(evaluation.accuracy), within),
            Fact("Mean margin", figure(margin.value), spread),
            Fact("Rows that pass", _share(checked.report)),
        ]
    )


def _share(report: GateReport) -> str:
    measured = [row for row in report.rows if row.outcome != "not measured"]
    return f"{sum(row.outcome == 'pass' for row in measured)} of {len(measured)}"


def _table(rows: Sequence[GateRow]) -> Table:
    cells = [[row.title, row.outcome, row.measured, row.bound] for row in rows]
    return Table(["what", "outcome", "measured", "must be"], cells)


def _advice(report: GateReport) -> Section:
    notes = [
        Note(f"{row.title}: {row.advice}", "warning" if row.outcome == "fail" else "note")
        for row in report.rows
        if row.advice
    ]
    return Section("What to do", notes or [Note("Nothing: every row that was measured passes.")])


def _sample(sample: PairSample) -> Sample:
    texts = [("prompt", sample.prompt), ("better", sample.chosen), ("worse", sample.rejected)]
    name = f"margin {sample.margin:+.2f}" + (f", {sample.domain}" if sample.domain else "")
    return Sample(name, texts, sample.where)
