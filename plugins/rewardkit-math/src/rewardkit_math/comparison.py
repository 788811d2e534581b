"""Compare answers with references, in three stages: normal forms, formulas, and sympy for what is left.

Every text is read once and every distinct pair is settled once, so the verdict on a pair is the same alone and in a
batch, in any order and on any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from rewardkit_math.compared import Cause, Compared, Pair
from rewardkit_math.forms.compare import settle
from rewardkit_math.forms.normal import Expression, Form, normal_form
from rewardkit_math.outcome import Stage
from rewardkit_math.policy import Policy
from rewardkit_math.reference import reference_form

if TYPE_CHECKING:
    from rewardkit_math.formulas.reading.parser import Unparsed

__all__ = ["compare", "compare_all"]

_V = TypeVar("_V")


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
        compared.update(_whatever_the_stack(lambda: _by_formula(undecided, forms, policy, cpu_seconds)))
    return compared


def _whatever_the_stack(run: Callable[[], _V]) -> _V:
    """Run it, on a stack of its own where the caller has left too little."""
    try:
        return run()
    except RecursionError:
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(run).result()


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
    from rewardkit_math.formulas.reading.parser import Unparsed, parse
    from rewardkit_math.formulas.settle import settle_formulas
    from rewardkit_math.symbolic import ask_sympy, worth_asking

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
            if settled.equal is None and cpu_seconds and worth_asking(answer, reference, settled.close):
                hard.append(pair)
    if hard:
        compared.update(ask_sympy(hard, cpu_seconds))
    return compared


def _unread(side: str, unparsed: Unparsed, form: Form, cause: Cause) -> Compared:
    why = form.note if isinstance(form, Expression) and form.note else f"{unparsed.reason}, at {unparsed.at}"
    return Compared(None, f"not settled: the {side} is not read: {why}", Stage.FORMULA, cause)
