"""The three stages of a comparison: which one settles what, deadlines, and whose fault a timeout is."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rewardkit_math.compared import Cause, Compared
from rewardkit_math.comparison import compare, compare_all
from rewardkit_math.grading import Grading, grade
from rewardkit_math.outcome import Extraction, Outcome, Rule, Stage
from rewardkit_math.policy import Policy
from rewardkit_math.symbolic import ask_sympy, proved
from rewardkit_math.verifier import MathVerifier, verify

from rewardkit import Batch, load
from rewardkit.inputs import read_columns
from rewardkit.isolation import TaskOutcome

ENDLESS = r"\int_0^1 \sin(x^x) e^{x^{x^x}} dx"
SERIES = r"\sum_{n=1}^{\infty} \frac{1}{n^2}"
ZETA = r"\frac{\pi^2}{6}"
POLICY = Policy()


@pytest.mark.parametrize(
    ("answer", "reference", "equal", "stage"),
    [
        ("0.75", r"\frac34", True, Stage.FORM),
        ("5", "6", False, Stage.FORM),
        ("(x+1)^2", "x^2+2x+1", True, Stage.FORMULA),
        ("(x+1)^2", "x^2+2x+2", False, Stage.FORMULA),
        (r"\sqrt{117}", r"3\sqrt{13}", True, Stage.FORMULA),
        (ZETA, SERIES, True, Stage.SYMPY),
        (r"\frac{\pi^2}{7}", SERIES, False, Stage.SYMPY),
        (r"\frac13", r"\int_0^1 x^2 dx", True, Stage.SYMPY),
        ("1", r"\lim_{x \to 0} \frac{\sin x}{x}", True, Stage.SYMPY),
        (r"\frac{n(n+1)}{2}", r"\sum_{k=1}^{n} k", True, Stage.FORMULA),
    ],
)
def test_the_cheapest_stage_that_can_settles_a_pair(answer: str, reference: str, equal: bool, stage: Stage) -> None:
    found = compare(answer, reference, POLICY, cpu_seconds=10)
    assert (found.equal, found.stage, found.cause) == (equal, stage, None)
    assert found.reason


def test_without_cpu_seconds_sympy_is_never_asked() -> None:
    found = compare(ZETA, SERIES, POLICY, cpu_seconds=0)
    assert (found.equal, found.stage) == (None, Stage.FORMULA)


@pytest.mark.parametrize(
    ("answer", "reference", "cause", "who"),
    [
        (r"\unknowncommand{3}", "7x", Cause.ANSWER_UNREAD, "the answer is not read"),
        ("7x", r"\unknowncommand{3}", Cause.REFERENCE_UNREAD, "the reference is not read"),
        ("x" * 1001, "7x", Cause.ANSWER_UNREAD, "longer than 1,000 characters"),
        ("7x", "x" * 1001, Cause.REFERENCE_UNREAD, "longer than 1,000 characters"),
    ],
)
def test_what_is_not_read_says_which_side_and_why(answer: str, reference: str, cause: Cause, who: str) -> None:
    found = compare(answer, reference, POLICY, cpu_seconds=2)
    assert (found.equal, found.cause) == (None, cause)
    assert who in found.reason


class TestTimeouts:
    def test_an_answer_that_hangs_sympy_is_wrong(self) -> None:
        verdict = verify(rf"\boxed{{{ENDLESS}}}", SERIES, grading=Grading(cpu_seconds=0.6))
        assert (verdict.outcome, verdict.score) == (Outcome.TIMEOUT, 0.0)
        assert "more than sympy may take: spent its 0.3 CPU seconds" in verdict.reason

    def test_a_reference_that_hangs_sympy_abstains(self) -> None:
        verdict = verify(r"\boxed{3}", ENDLESS, grading=Grading(cpu_seconds=0.6))
        assert (verdict.outcome, verdict.score) == (Outcome.TIMEOUT, None)
        assert "the reference alone takes more than sympy may take" in verdict.reason

    def test_the_next_comparison_is_not_disturbed(self) -> None:
        pairs = [(ENDLESS, SERIES), (ZETA, SERIES), ("(x+1)^2", "x^2+2x+1")]
        found = compare_all(pairs, POLICY, cpu_seconds=2)
        assert [found[pair].equal for pair in pairs] == [None, True, True]

    @pytest.mark.parametrize("status", ["memory", "crashed"])
    def test_memory_and_crashes_count_as_timeouts_of_their_side(self, status: Any) -> None:
        assert proved(TaskOutcome(status, None, "it ended"), by_reference=False).cause is Cause.ANSWER_TIMEOUT
        assert proved(TaskOutcome(status, None, "it ended"), by_reference=True).cause is Cause.REFERENCE_TIMEOUT

    def test_an_error_in_sympy_leaves_it_undecided(self) -> None:
        found = proved(TaskOutcome("error", None, "NotImplementedError: no"), by_reference=False)
        assert found == Compared(None, "not settled: sympy gave up", Stage.SYMPY)

    def test_a_stalled_machine_fails_the_row_and_scores_nothing(self) -> None:
        stalled = proved(TaskOutcome("stalled", None, "10 seconds passed"), by_reference=False)
        assert stalled.cause is Cause.MACHINE
        graded = grade(Extraction("3", Rule.BOX, 0, 9), "x", stalled, Grading())
        assert (graded.failed, graded.score) == (True, None)
        assert graded.reason == "sympy got no time from the machine: 10 seconds passed"

    def test_errors_of_sympy_are_no_timeouts_of_the_machine(self) -> None:
        assert ask_sympy([], cpu_seconds=1) == {}


UNREAD = r"\unknowncommand{3}"


@pytest.mark.parametrize(
    ("answer", "reference", "unsettled", "outcome", "points"),
    [
        (UNREAD, "7x", "wrong", Outcome.WRONG, 0.0),
        (UNREAD, "7x", "abstain", Outcome.WRONG, None),
        ("7x", UNREAD, "wrong", Outcome.UNPARSED_REFERENCE, None),
        (UNREAD, UNREAD, "wrong", Outcome.CORRECT, 1.0),
        ("8x", "7x", "abstain", Outcome.WRONG, 0.0),
    ],
)
def test_what_no_stage_settles_is_wrong_unless_it_may_abstain(
    answer: str, reference: str, unsettled: Any, outcome: Outcome, points: float | None
) -> None:
    verdict = verify(rf"\boxed{{{answer}}}", reference, grading=Grading(unsettled=unsettled))
    assert (verdict.outcome, verdict.score) == (outcome, points)


PAIRS = [
    (r"\boxed{(x+1)^2}", "x^2+2x+1"), (r"\boxed{-4 \le x < 0}", "[-4, 0)"), (r"\boxed{7}", "8"),
    (r"\boxed{\frac{\pi^2}{6}}", SERIES), (r"\boxed{8i-15}", "-15+8i"), (r"\boxed{17 \times 24}", "408"),
    (r"\boxed{\frac{3}{4}}", "0.75"), (r"\boxed{4^{2006}}", "2^{4012}"), (r"\boxed{x}", "y"),
]  # fmt: skip


def run_in_thread(function: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def scored(pairs: list[tuple[str, str]]) -> dict[tuple[str, str], float]:
    batch = Batch.from_columns(completion=[c for c, _ in pairs], answer=[a for _, a in pairs])
    values = MathVerifier().score(read_columns(MathVerifier.Inputs, batch, {}, {}, "math")).values
    assert values is not None
    return dict(zip(pairs, values.tolist(), strict=True))


def test_the_verdict_is_the_same_alone_in_a_batch_in_any_order_and_on_any_thread() -> None:
    alone = {pair: verify(*pair).score for pair in PAIRS}
    assert sorted(alone.values(), key=float) == [0.0] * 3 + [1.0] * 6
    assert scored(PAIRS) == alone
    assert scored(PAIRS[::-1] * 3) == alone
    assert run_in_thread(lambda: scored(PAIRS)) == alone
    assert run_in_thread(lambda: {pair: verify(*pair).score for pair in PAIRS}) == alone


def test_the_verdict_is_the_same_where_the_stack_is_nearly_full() -> None:
    nested = rf"{'(' * 45}x{'+1)' * 45}"

    def below(depth: int) -> Any:
        return below(depth - 1) if depth else compare(nested, "x+45", POLICY, cpu_seconds=0).equal

    free = sys.getrecursionlimit() - len(inspect.stack())
    assert [below(free - left) for left in (900, 400, 250, 150)] == [True] * 4


def test_many_threads_at_once_agree() -> None:
    alone = scored(PAIRS)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(scored(PAIRS))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 8


def test_an_event_loop_goes_on_while_sympy_works() -> None:
    batch = Batch.from_columns(completion=[rf"\boxed{{{ENDLESS}}}", rf"\boxed{{{ZETA}}}"], answer=[SERIES] * 2)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    async def score_beside() -> Any:
        beside = asyncio.create_task(count_turns())
        rewards = await load("math").ascore(batch)
        beside.cancel()
        return rewards

    assert asyncio.run(score_beside()).totals.tolist() == [0.0, 1.0]
    assert turns > 20


CHILD = """
import multiprocessing
from rewardkit_math.verifier import verify

def child(found):
    found.put(verify(r"\\\\boxed{\\\\frac{\\\\pi^2}{6}}", r"\\\\sum_{n=1}^{\\\\infty} \\\\frac{1}{n^2}").score)

if __name__ == "__main__":
    found = multiprocessing.get_context(METHOD).Queue()
    process = multiprocessing.get_context(METHOD).Process(target=child, args=(found,), daemon=True)
    process.start()
    print(found.get(timeout=60))
    process.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_daemonic_child_gives_the_same_verdict(method: str, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(CHILD.replace("METHOD", repr(method)).replace("\\\\", "\\"))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("1.0\n", 0), done.stderr
