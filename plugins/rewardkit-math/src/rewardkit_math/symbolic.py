"""The last stage: ask sympy, in a worker process that can be killed, as it may take for ever on a short text.

It settles sums, products, integrals and limits that have a closed form, and expressions whose difference it
simplifies to zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewardkit.isolation import shared_pool
from rewardkit_math.compared import Cause, Compared, Pair
from rewardkit_math.formulas import tree as t
from rewardkit_math.formulas.walk import walk
from rewardkit_math.outcome import Stage

if TYPE_CHECKING:
    from rewardkit.isolation import TaskOutcome

__all__ = ["FUNCTIONS", "ask_sympy", "proved", "worth_asking"]

_SCALARS = (
    t.Literal, t.Numeral, t.Constant, t.Symbol, t.Add, t.Multiply, t.Negate, t.Divide, t.Power, t.Root, t.Apply,
    t.Call, t.Big,
)  # fmt: skip
FUNCTIONS = {
    "abs": "Abs", "arccos": "acos", "arccosh": "acosh", "arccot": "acot", "arccsc": "acsc", "arcsec": "asec",
    "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctanh": "atanh", "arg": "arg", "binomial": "binomial",
    "cbrt": "cbrt", "ceil": "ceiling", "conjugate": "conjugate", "cos": "cos", "cosh": "cosh", "cot": "cot",
    "coth": "coth", "csc": "csc", "csch": "csch", "exp": "exp", "factorial": "factorial", "floor": "floor",
    "gcd": "gcd", "im": "im", "lcm": "lcm", "ln": "log", "log": "log", "max": "Max", "min": "Min", "re": "re",
    "sec": "sec", "sech": "sech", "sign": "sign", "sin": "sin", "sinh": "sinh", "tan": "tan", "tanh": "tanh",
}  # fmt: skip
"""Our names of functions, and sympy's."""
_PROVE = "rewardkit_math.formulas.sympy_worker:prove"
_SPENT = ("timeout", "memory", "crashed")


def worth_asking(answer: t.Tree, reference: t.Tree, close: bool) -> bool:
    """Tell whether sympy may settle what evaluation left undecided.

    It may where the reference is, or holds, a sum, product, integral or limit, and where two expressions are ``close``:
    equal to many digits. It is not asked about numbers that are only huge, nor about an answer that leaves more to
    compute than the reference does.
    """
    if not all(_known(node) for side in (answer, reference) for node in walk(side)):
        return False
    return _holds_big(reference) or (close and not _holds_big(answer))


def _holds_big(tree: t.Tree) -> bool:
    return any(isinstance(node, t.Big) for node in walk(tree))


def _known(node: t.Tree) -> bool:
    return isinstance(node, _SCALARS) and (not isinstance(node, t.Apply) or node.function in FUNCTIONS)


def ask_sympy(pairs: list[Pair], cpu_seconds: float) -> dict[Pair, Compared]:
    """Compare each pair of texts, which both parse.

    Half of ``cpu_seconds`` is for the pair. Where sympy spends it, the other half is for the reference alone: that
    tells whose fault it is.
    """
    pool = shared_pool(_PROVE, cpu_seconds=cpu_seconds / 2)
    outcomes = dict(zip(pairs, pool.run([list(pair) for pair in pairs]), strict=True))
    spent = {pair for pair, outcome in outcomes.items() if outcome.status in _SPENT}
    references = sorted({reference for _, reference in spent})
    alone = zip(references, pool.run([[reference] for reference in references]), strict=True)
    hopeless = {reference for reference, outcome in alone if outcome.status in _SPENT}
    return {pair: proved(outcome, pair[1] in hopeless) for pair, outcome in outcomes.items()}


def proved(outcome: TaskOutcome, by_reference: bool) -> Compared:
    """Return what the outcome of a task says, where ``by_reference`` tells whose fault a timeout is."""
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
