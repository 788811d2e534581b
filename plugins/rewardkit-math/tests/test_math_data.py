"""Agreement with the labels of real model outputs, of verification cases, and of attacks."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rewardkit_math.comparison import compare
from rewardkit_math.outcome import Outcome
from rewardkit_math.policy import Policy
from rewardkit_math.reference import Reference, read_reference, reference_text
from rewardkit_math.verifier import MathVerifier, verify

DATA = Path(os.environ.get("REWARDKIT_DATA") or Path(__file__).parents[4] / "shared" / "data")
pytestmark = pytest.mark.data


def read(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no evaluation data: {path} does not exist (set REWARDKIT_DATA)")
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def is_correct(response: str, answer: Reference, prompt: str = "") -> bool:
    return verify(response, answer, prompt=prompt).score == 1.0


def judge(case: dict[str, Any]) -> tuple[bool, str]:
    """Whether the answer is called correct, and why; a case may give the answer without a response."""
    if case["kind"] == "response":
        verdict = verify(case["response"], case["gold"])
        return verdict.score == 1.0, verdict.reason
    reference = reference_text(case["gold"])
    if reference is None:
        return False, "the reference says nothing"
    compared = compare(case["answer"], reference, Policy(), cpu_seconds=2)
    return bool(compared.equal), compared.reason


def test_every_gsm8k_solution_is_judged_as_labelled() -> None:
    rows = read("gsm8k/openai_model_solutions.jsonl.gz")
    judged = [
        (is_correct(solution["text"], row["gold_answer"]), solution["is_correct"])
        for row in rows
        for solution in row["completions"]
    ]
    assert len(judged) == 4 * len(rows)
    assert sum(one == other for one, other in judged) == len(judged)


def test_a_worked_gsm8k_solution_is_as_good_a_reference_as_its_answer() -> None:
    rows = read("gsm8k/openai_model_solutions.jsonl.gz")
    assert all(str(read_reference(row["gold_solution"])) == row["gold_answer"] for row in rows)


def test_a_batch_agrees_with_single_verdicts() -> None:
    rows = read("gsm8k/openai_model_solutions.jsonl.gz")[:100]
    pairs = [(solution["text"], row["gold_answer"]) for row in rows for solution in row["completions"]]
    inputs = MathVerifier.Inputs(completion=[text for text, _ in pairs], answer=[answer for _, answer in pairs])
    scores = MathVerifier().score(inputs)
    assert scores.values is not None
    assert scores.values.tolist() == [float(is_correct(*pair)) for pair in pairs]


def test_tool_traces_are_judged_as_labelled_wherever_they_state_an_answer() -> None:
    rows = read("gsm8k/tora_tool_traces.jsonl.gz")
    verdicts = [verify(row["completion"], row["gold_answer"]) for row in rows]
    stated = [
        (v.score == 1.0, row) for v, row in zip(verdicts, rows, strict=True) if v.outcome is not Outcome.NO_ANSWER
    ]
    assert len(stated) >= 0.995 * len(rows)
    assert [row["id"] for correct, row in stated if correct != row["numeric_match"]] == []


def test_rollouts_with_a_prefilled_thinking_are_judged_as_the_run_rewarded_them() -> None:
    rows = read("think_rollouts/primerl_r1distill_grpo_groups.jsonl.gz")
    judged = [is_correct(row["completion"], row["gold"], row["prompt"]) for row in rows]
    assert judged == [row["reward"] > 0 for row in rows]


def test_best_of_eight_samples_are_judged_as_labelled() -> None:
    rows = read("math_competition/qwen_math_bo8_rm_scores.jsonl.gz")
    judged = [
        (is_correct(s["text"], row["gold_answer"]), s["harness_correct"]) for row in rows for s in row["completions"]
    ]
    assert sum(one == other for one, other in judged) >= 0.995 * len(judged)


# Its label says different; both sides are the same fraction, as (x + 10^-6)^0 and x^0 are both 1.
MISLABELLED = ["h0076"]


def core_cases() -> list[tuple[dict[str, Any], bool]]:
    cases = [case for case in read("math/cases.jsonl.gz") if not case["policy"] and not case["freetext"]]
    return [(case, judge(case)[0]) for case in cases]


def test_core_cases_keep_accuracy_false_positives_and_false_negatives() -> None:
    judged = core_cases()
    wrong = [case for case, correct in judged if correct != case["expected"]]
    assert [case["id"] for case in wrong if not case["expected"]] == MISLABELLED
    assert len(wrong) <= 0.005 * len(judged)
    assert sum(case["expected"] for case in wrong) <= 0.01 * sum(case["expected"] for case, _ in judged)
    boxed = [
        (case, correct)
        for case, correct in judged
        if case["category"].startswith(("real_", "neg_")) and "boxed" in (case["response"] or "")
    ]
    assert len(boxed) > 1000
    assert sum(case["expected"] == correct for case, correct in boxed) >= 0.995 * len(boxed)


def test_the_defaults_decide_policy_cases_as_labelled() -> None:
    cases = [case for case in read("math/cases.jsonl.gz") if case["policy"]]
    assert [case["id"] for case in cases if judge(case)[0] != case["expected"]] == []


@pytest.mark.parametrize(
    ("prefix", "floor"),
    [
        ("real_gsm8k", 1.0),
        ("real_math", 0.99),
        ("neg_", 1.0),
        ("hostile_", 0.97),
        ("forms_Set", 0.99),
        ("forms_Vector", 0.99),
    ],
)
def test_a_family_of_cases_keeps_its_accuracy(prefix: str, floor: float) -> None:
    cases = [case for case in read("math/cases.jsonl.gz") if case["category"].startswith(prefix)]
    assert sum(judge(case)[0] == case["expected"] for case in cases) >= floor * len(cases)


def test_very_large_hostile_responses_are_judged_as_labelled() -> None:
    cases = read("math/hostile_big.jsonl.gz")
    assert [case["id"] for case in cases if judge(case)[0] != case["expected"]] == []


def test_attacks_earn_nothing_and_their_honest_controls_everything() -> None:
    rows = [row for row in read("attacks.jsonl") if row["component"] == "math"]
    scores = {row["id"]: (verify(row["response"], row["gold"]).score, row["expected"]) for row in rows}
    attacks = {key: score for key, (score, expected) in scores.items() if expected.startswith("score<=0")}
    controls = {key: score for key, (score, expected) in scores.items() if expected.startswith("score==1 (")}
    assert len(attacks) >= 10
    assert controls
    assert set(attacks.values()) == {0.0}
    assert set(controls.values()) == {1.0}
