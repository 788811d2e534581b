"""The gate before RL: everything that must hold of a reward model, measured and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rewardkit import Calibration
from rewardkit.errors import RewardKitError
from rewardkit_rm.calibrating import Drift, find_drift
from rewardkit_rm.gate.checklist import calibration_row, drift_row, quality_rows, scale_row, spill_over_row
from rewardkit_rm.gate.extremes import FEWEST_PROMPTS, PromptSample, edge_rows
from rewardkit_rm.gate.report import GateReport, GateRow, unsure
from rewardkit_rm.gate.stress import stress_rows

if TYPE_CHECKING:
    from rewardkit_audit.stress import StressCase, StressOutcome

    from rewardkit_rm.evaluation.evaluation import Evaluation
    from rewardkit_rm.evaluation.scored import ScoredPair
    from rewardkit_rm.models.scorer import Scored, Scorer
    from rewardkit_rm.pairs.pair import Pair, Prompt

__all__ = ["Checked", "check_model"]


class Checked(NamedTuple):
    """What the gate found, and what its rows rest on."""

    report: GateReport
    evaluation: Evaluation
    cases: Sequence[StressCase]
    stress: StressOutcome


def check_model(
    scorer: Scorer,
    pairs: Iterable[Pair],
    *,
    calibration: Calibration | None = None,
    others: Mapping[str, Iterable[Pair]] | None = None,
    cases: Sequence[StressCase] | None = None,
    prompts: int = 32,
    batch_tokens: int = 16384,
    progress: Callable[[int, int], object] | None = None,
) -> Checked:
    """Check a reward model before a policy is trained on it.

    On held-out pairs: mean margin above 1, accuracy above 65 %, no domain of 50 pairs or more below that, no
    preference for length, every pair scored. On some of their prompts: empty and very long completions are scored, and
    below the better side. The scale: calibrated for these weights, neither tiny nor huge, like that of the calibration
    set. And stress cases, of which the fatal ones must all be right. Pairs of fewer than 30 prompts show nothing: what
    rests on them is unclear.

    Args:
        scorer: The model.
        pairs: Held-out preference pairs, read once.
        calibration: The calibration that belongs to the model.
        others: Pairs of other domains by name.
        cases: Stress cases; by default those of ``rewardkit_audit``.
        prompts: On how many prompts empty and long completions are tried.
        batch_tokens: Tokens that go through the model at a time.
        progress: Called while more is scored behind the pairs, with how many completions of these are done, and of how
            many.

    Raises:
        RewardKitError: If no pair can be scored.
    """
    from rewardkit_audit.stress import cases as stress_cases
    from rewardkit_audit.stress import outcome, score_cases

    from rewardkit_rm.evaluation.evaluate import evaluate
    from rewardkit_rm.evaluation.scoring import score_pairs

    sample = PromptSample(pairs, prompts)
    seen = _Scores(score_pairs(scorer, sample, batch_tokens=batch_tokens))
    spilled = {name: score_pairs(scorer, rows, batch_tokens=batch_tokens) for name, rows in (others or {}).items()}
    evaluation = evaluate(seen, others=spilled)
    if evaluation.accuracy is None:
        reason = next(iter(evaluation.unscored.reasons), "there is none that is no tie")
        raise RewardKitError(f"{scorer.name}: no pair to judge by: {reason}")
    drift = None if calibration is None else find_drift(calibration, seen.scores)
    chosen = stress_cases() if cases is None else cases
    score = _Counting(scorer, batch_tokens, 3 * len(sample.kept) + len(_replies(chosen)), progress)
    edges = list(edge_rows(score, sample.kept))
    stress = outcome(chosen, score_cases(chosen, lambda asked, told: score(asked, told).values))
    rows = [
        *(row if sample.prompts >= FEWEST_PROMPTS else unsure(row, sample.prompts) for row in quality_rows(evaluation)),
        *map(spill_over_row, evaluation.spill_over),
        *_scale_rows(scorer, evaluation, calibration, drift),
        *edges,
        *stress_rows(chosen, stress),
    ]
    report = GateReport(model=scorer.name, digest=scorer.digest, pairs=evaluation.pairs, rows=rows)
    return Checked(report, evaluation, chosen, stress)


def _scale_rows(
    scorer: Scorer, evaluation: Evaluation, calibration: Calibration | None, drift: Drift | None
) -> Iterator[GateRow]:
    yield calibration_row(calibration, scorer.digest)
    yield scale_row(evaluation.scores.std)
    yield drift_row(drift)


def _replies(cases: Sequence[StressCase]) -> set[tuple[str, str]]:
    return {(case.prompt, text) for case in cases for text in (case.better, case.worse)}


class _Counting:
    """Scores completions, and tells how many of all are done."""

    def __init__(
        self, scorer: Scorer, batch_tokens: int, total: int, progress: Callable[[int, int], object] | None
    ) -> None:
        self.scorer, self.batch_tokens, self.total = scorer, batch_tokens, total
        self.done = 0
        self.progress = progress

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> Scored:
        return self.scorer.score(prompts, completions, batch_tokens=self.batch_tokens, progress=self._add)

    def _add(self, rows: int) -> None:
        self.done += rows
        if self.progress is not None:
            self.progress(self.done, self.total)


class _Scores:
    """Passes scored pairs on, and keeps the scores of both sides."""

    def __init__(self, pairs: Iterable[ScoredPair]) -> None:
        self.pairs = pairs
        self.scores: list[float] = []

    def __iter__(self) -> Iterator[ScoredPair]:
        for pair in self.pairs:
            self.scores += (pair.chosen_score, pair.rejected_score)
            yield pair
