"""Compare answers with references, in three stages: normal forms, formulas, and sympy for what is left.

Every text is read once and every distinct pair is settled once, so the verdict on a pair is the same alone and in a
batch, in any order and on any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from rewardkit_math.forms.compare import settle
from rewardkit_math.forms.normal import Expression, Form, normal_form
from rewardkit_math.outcome import Stage
from rewardkit_math.policy import Policy
from rewardkit_math.reference import reference_form

if TYPE_CHECKING:
    from rewardkit.isolation import TaskOutcome
    from rewardkit_math.formulas.parser import Unparsed

__all__ = ["Cause", "Compared", "Pair", "compare", "compare_all"]

Pair: TypeAlias = tuple[str, str]
"""An answer and a reference, as text."""
_V = TypeVar("_V")
_PROVE = "rewardkit_math.formulas.symbolic:prove"
_MEMORY = 2 << 30  # bytes of address space; sympy itself takes a tenth of it
_SPENT = ("timeout", "memory", "crashed")


class Cause(StrEnum):
    """Why a comparison is undecided, where that is not for want of a method."""

    ANSWER_UNREAD = "answer_unread"
    REFERENCE_UNREAD = "reference_unread"
    ANSWER_TIMEOUT = "answer_timeout"
    REFERENCE_TIMEOUT = "reference_timeout"
    MACHINE = "machine"


class Compared(NamedTuple):
    """Whether answer and reference are equal (None: undecided), the reason, and the stage that said so."""

    equal: bool | None
    reason: str
    stage: Stage
    cause: Cause | None = None


def compare(answer: str, reference: str, policy: Policy, cpu_seconds: float) -> Compared:
    """Compare one pair; see `compare_all`."""
    pair = (answer, reference)
    return compare_all([pair], policy, cpu_seconds)[pair]


def compare_all(pairs: Iterable[Pair], policy: Policy, cpu_seconds: float) -> dict[Pair, Compared]:
    """Compare each distinct pair.

    Args:
        pairs: Answers and references.
        policy: What counts as equal.
        cpu_seconds: CPU time that sympy may take for one pair; 0 leaves that stage out.
    """
    forms = _Once(normal_form)
    compared: dict[Pair, Compared] = {}
    undecided: list[Pair] = []
    for pair in pairs:
        if pair not in compared:
            compared[pair] = found = _by_form(forms(pair[0]), reference_form(pair[1]), policy)
            if found.equal is None:
                undecided.append(pair)
    if undecided:
        compared.update(_by_formula(undecided, forms, policy, cpu_seconds))
    return compared


class _Once(dict[str, _V]):
    """A function that reads each text once."""

    def __init__(self, read: Callable[[str], _V]) -> None:
        super().__init__()
        self._read = read

    def __call__(self, text: str) -> _V:
        if text not in self:
            self[text] = self._read(text)
        return self[text]


def _by_form(answer: Form, reference: Form, policy: Policy) -> Compared:
    settled = settle(answer, reference, policy)
    return Compared(settled.equal, settled.reason, Stage.FORM)


def _by_formula(pairs: list[Pair], forms: _Once[Form], policy: Policy, cpu_seconds: float) -> dict[Pair, Compared]:
    try:
        from rewardkit_math.formulas.parser import Unparsed, parse
        from rewardkit_math.formulas.settle import settle_formulas
    except ImportError:  # TEMPORARY
        return {}
    from rewardkit_math.formulas.symbolic import can_settle

    trees = _Once(parse)
    compared: dict[Pair, Compared] = {}
    hard: list[Pair] = []
    for pair in pairs:
        answer, reference = trees(pair[0]), trees(pair[1])
        if isinstance(reference, Unparsed):
            compared[pair] = _unread("reference", reference, forms(pair[1]), Cause.REFERENCE_UNREAD)
        elif isinstance(answer, Unparsed):
            compared[pair] = _unread("answer", answer, forms(pair[0]), Cause.ANSWER_UNREAD)
        else:
            settled = settle_formulas(answer, reference, policy)
            compared[pair] = Compared(settled.equal, settled.reason, Stage.FORMULA)
            if settled.equal is None and cpu_seconds and can_settle(answer, reference):
                hard.append(pair)
    if hard:
        compared.update(_by_sympy(hard, cpu_seconds))
    return compared


def _unread(side: str, unparsed: Unparsed, form: Form, cause: Cause) -> Compared:
    why = form.note if isinstance(form, Expression) and form.note else f"{unparsed.reason}, at {unparsed.at}"
    return Compared(None, f"not settled: the {side} is not read: {why}", Stage.FORMULA, cause)


def _by_sympy(pairs: list[Pair], cpu_seconds: float) -> dict[Pair, Compared]:
    from rewardkit.isolation import shared_pool

    pool = shared_pool(_PROVE, cpu_seconds=cpu_seconds, memory_bytes=_MEMORY)
    outcomes = dict(zip(pairs, pool.run([list(pair) for pair in pairs]), strict=True))
    spent = {pair for pair, outcome in outcomes.items() if outcome.status in _SPENT}
    references = sorted({reference for _, reference in spent})
    alone = zip(references, pool.run([[reference] for reference in references]), strict=True)
    hopeless = {reference for reference, outcome in alone if outcome.status in _SPENT}
    return {pair: _proved(outcome, pair[1] in hopeless) for pair, outcome in outcomes.items()}


def _proved(outcome: TaskOutcome, by_reference: bool) -> Compared:
    if outcome.status == "done":
        equal, reason = outcome.value
        return Compared(equal, reason, Stage.SYMPY)
    if outcome.status == "stalled":
        return Compared(None, f"sympy got no time from the machine: {outcome.reason}", Stage.SYMPY, Cause.MACHINE)
    if outcome.status == "error":
        return Compared(None, "not settled: sympy gave up", Stage.SYMPY)
    whose = "the reference alone takes" if by_reference else "it takes"
    cause = Cause.REFERENCE_TIMEOUT if by_reference else Cause.ANSWER_TIMEOUT
    return Compared(None, f"not settled: {whose} more than sympy may take: {outcome.reason}", Stage.SYMPY, cause)
