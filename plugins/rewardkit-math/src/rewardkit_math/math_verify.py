"""The component ``math_verify``: the verdict of the package of that name, to compare ``math`` with and to migrate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeAlias

from pydantic import Field, model_validator

from rewardkit import Columns, Component, Scores
from rewardkit_math.outcome import Outcome
from rewardkit_math.reference import reference_text

if TYPE_CHECKING:
    from rewardkit.isolation import JSON, TaskOutcome

__all__ = ["MathVerify"]

_TAIL = 20_000
_EXTRA = "pip install 'rewardkit-math[math-verify]'"
_WORKER = "rewardkit_math.math_verify_worker:judge"
_EASY = r"\boxed{0}"
_Pair: TypeAlias = tuple[str, str]


class _Judgement(NamedTuple):
    outcome: Outcome
    score: float | None
    reason: str
    answer: str = ""
    reference: str = ""
    failed: bool = False


class MathVerify(Component):
    r"""1.0 if the package math-verify calls the completion equal to the reference, else 0.0; for comparison only.

    Put it beside ``math`` with weight 0 to see where the two differ. It calls ``parse`` and ``verify`` as the package's
    users do: the reference inside ``\boxed{}``, the completion as it is, thinking included, of which the last 20,000
    characters are read. The package's own time limits are signals, which work on the main thread alone and do not stop
    long computations in C; here it has none, and runs in worker processes that are killed.

    Abstains where the reference is null, blank, or nothing that the package can parse. CPU time or memory used up, or a
    crash, scores 0 with the outcome ``timeout``, and abstains where the reference alone (against the answer 0) uses
    them up too. A worker that got no CPU time is a failure of that sample.

    The range is [0, 1]. Details of each sample say the outcome, the reason, and the parsed forms of both sides.

    Source: https://github.com/huggingface/Math-Verify, measured with 0.9.0.

    Raises:
        ValueError: On construction, if math-verify is not installed.

    Example:
        >>> package = MathVerify()
        >>> scores = package.score(package.Inputs(completion=["It is 0.75.", "3/5"], answer=[r"\frac{3}{4}"] * 2))
        >>> scores.values.tolist()
        [1.0, 0.0]
    """

    name: ClassVar[str] = "math_verify"
    version: ClassVar[str] = "1"
    slow: ClassVar[bool] = True

    latex_only: bool = Field(
        default=False,
        description="Only LaTeX is an answer, a box before all else, as in TRL's accuracy_reward; else plain text too.",
    )
    cpu_seconds: float = Field(default=5.0, gt=0, le=600, description="CPU time that one sample may take.")

    class Inputs(Columns):
        """``answer``: strings or numbers, null abstains."""

        completion: list[str]
        answer: list[str | int | float | None]

    @model_validator(mode="after")
    def _installed(self) -> Self:
        if find_spec("math_verify") is None:
            raise ValueError(f"math-verify is not installed: {_EXTRA}")
        return self

    def score(self, inputs: Inputs) -> Scores:
        """Score every sample; see the class."""
        texts = [completion[-_TAIL:] for completion in inputs.completion]
        references = [reference_text(answer) for answer in inputs.answer]
        rows = list(zip(texts, references, strict=True))
        judged = self._judge({(text, reference) for text, reference in rows if reference is not None})
        found = [_SAYS_NOTHING if reference is None else judged[text, reference] for text, reference in rows]
        return Scores(
            [judgement.score for judgement in found],
            failures={row: judgement.reason for row, judgement in enumerate(found) if judgement.failed},
            details=[_explain(judgement) for judgement in found],
        )

    def score_range(self) -> tuple[float, float]:
        """Return (0, 1)."""
        return (0.0, 1.0)

    def _judge(self, pairs: Iterable[_Pair]) -> dict[_Pair, _Judgement]:
        found = self._run(pairs)
        stopped = {pair for pair, outcome in found.items() if outcome.status in _STOPPED}
        alone = self._run({(_EASY, reference) for _, reference in stopped})
        return {
            pair: _stopped(outcome, alone[_EASY, pair[1]]) if pair in stopped else _judgement(outcome)
            for pair, outcome in found.items()
        }

    def _run(self, pairs: Iterable[_Pair]) -> dict[_Pair, TaskOutcome]:
        from rewardkit.isolation import shared_pool

        ordered = sorted(pairs)
        tasks: list[JSON] = [
            {"response": text, "reference": gold, "latex_only": self.latex_only} for text, gold in ordered
        ]
        pool = shared_pool(_WORKER, cpu_seconds=self.cpu_seconds)
        return dict(zip(ordered, pool.run(tasks), strict=True))


_SAYS_NOTHING = _Judgement(Outcome.UNPARSED_REFERENCE, None, "the reference says nothing")
_STOPPED = {
    "timeout": "the CPU time ran out",
    "memory": "the memory ran out",
    "crashed": "the worker crashed",
}


def _judgement(outcome: TaskOutcome) -> _Judgement:
    if outcome.status != "done":
        return _Judgement(Outcome.TIMEOUT, None, f"math-verify: {outcome.reason}", failed=True)
    answer, reference = outcome.value["answer"], outcome.value["reference"]
    if not reference:
        return _Judgement(Outcome.UNPARSED_REFERENCE, None, "math-verify cannot parse the reference", answer)
    if not answer:
        return _Judgement(Outcome.NO_ANSWER, 0.0, "math-verify finds no answer", answer, reference)
    if outcome.value["equal"]:
        return _Judgement(Outcome.CORRECT, 1.0, "math-verify calls them equal", answer, reference)
    return _Judgement(Outcome.WRONG, 0.0, "math-verify calls them different", answer, reference)


def _stopped(outcome: TaskOutcome, alone: TaskOutcome) -> _Judgement:
    """Blame the completion, unless the reference alone did not come to an end either."""
    reason = _STOPPED[outcome.status]
    if alone.status in _STOPPED:
        return _Judgement(Outcome.TIMEOUT, None, f"{reason}, on the reference alone too")
    return _Judgement(Outcome.TIMEOUT, 0.0, reason)


def _explain(judgement: _Judgement) -> Mapping[str, Any]:
    return {
        "outcome": str(judgement.outcome),
        "reason": judgement.reason,
        "answer_form": judgement.answer,
        "reference_form": judgement.reference,
    }
