"""The component ``math_verify``, which asks the package of that name, and the benchmark beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from rewardkit_math.math_verify import MathVerify, _judgement, _stopped
from rewardkit_math.outcome import Outcome

import rewardkit
from rewardkit import Scores
from rewardkit.isolation import Status, TaskOutcome
from rewardkit.testing import check_component

pytest.importorskip("math_verify", reason="math-verify is not installed (extra math-verify)")

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("REWARDKIT_DATA") or ROOT.parent / "shared" / "data")
TOWER = "9^{9^{9^{9}}}"


def scored(completions: list[str], answers: list[Any], **settings: Any) -> Scores:
    component = MathVerify(**settings)
    return component.score(component.Inputs(completion=completions, answer=answers))


def one(completion: str, answer: Any, **settings: Any) -> tuple[float | None, dict[str, Any]]:
    scores = scored([completion], [answer], **settings)
    assert scores.values is not None
    value = float(scores.values[0])
    return None if np.isnan(value) else value, dict(scores.details[0])  # type: ignore[index]


@pytest.mark.parametrize(
    ("completion", "answer", "score", "outcome"),
    [
        pytest.param(r"So it is \boxed{\frac{3}{4}}.", "0.75", 1.0, "correct", id="fraction and decimal"),
        pytest.param(r"\boxed{(x+1)^2}", "x^2+2x+1", 1.0, "correct", id="expanded"),
        pytest.param(r"\boxed{7}", 7, 1.0, "correct", id="integer"),
        pytest.param(r"\boxed{0.5}", 0.5, 1.0, "correct", id="float"),
        pytest.param(r"\boxed{2}", r"So we get \boxed{2}.", 1.0, "correct", id="reference with a box"),
        pytest.param("#### 12", "3 * 4 = <<3*4=12>>12\n#### 12", 1.0, "correct", id="worked reference"),
        pytest.param(r"\boxed{8}", "7", 0.0, "wrong", id="another number"),
        pytest.param("I do not know.", "7", 0.0, "no_answer", id="no answer"),
        pytest.param("", "7", 0.0, "no_answer", id="empty"),
        pytest.param(r"\boxed{7}", None, None, "unparsed_reference", id="null"),
        pytest.param(r"\boxed{7}", "  ", None, "unparsed_reference", id="blank"),
        pytest.param(r"\boxed{7}", float("nan"), None, "unparsed_reference", id="nan"),
        pytest.param(r"\boxed{7}", 10**5000, None, "unparsed_reference", id="more digits than Python prints"),
        pytest.param(r"\boxed{7}", "}{", None, "unparsed_reference", id="unbalanced"),
    ],
)
def test_a_pair_gets_the_packages_verdict(completion: str, answer: Any, score: float | None, outcome: str) -> None:
    value, details = one(completion, answer)
    assert (value, details["outcome"]) == (score, outcome)


def test_verdicts_are_those_of_the_package_called_directly() -> None:
    from math_verify import parse, verify

    pairs = [
        (rf"The answer is \boxed{{{answer}}}.", gold)
        for answer in ("1/2", "0.5", r"\sqrt{8}", "(1,2)", r"\{2,1\}", "50\\%", "x=3", r"2\pi")
        for gold in ("0.5", r"2\sqrt{2}", "(2,1)", r"\{1,2\}", "3", r"\pi+\pi")
    ]
    expected = [float(verify(parse(rf"\boxed{{{gold}}}"), parse(text))) for text, gold in pairs]
    scores = scored([text for text, _ in pairs], [gold for _, gold in pairs])
    assert scores.values is not None
    assert scores.values.tolist() == expected
    assert {0.0, 1.0} == set(expected)


def test_latex_only_finds_no_answer_in_plain_text() -> None:
    assert one("The answer is 4", "4")[0] == 1.0
    assert one("The answer is 4", "4", latex_only=True)[0] == 0.0
    assert one(r"The answer is \boxed{4}", "4", latex_only=True)[0] == 1.0


def test_details_show_both_parsed_forms() -> None:
    _, details = one(r"\boxed{\frac{6}{8}}", "0.75")
    assert details["reason"] == "math-verify calls them equal"
    assert details["answer_form"].startswith("3/4")
    assert details["reference_form"].startswith("0.75")


def test_a_completion_that_never_ends_scores_zero_and_its_neighbours_their_own() -> None:
    completions = [r"\boxed{4}", rf"\boxed{{{TOWER}}}", r"\boxed{5}"]
    scores = scored(completions, ["4"] * 3, cpu_seconds=0.5)
    assert scores.values is not None
    assert scores.details is not None
    assert scores.values.tolist() == [1.0, 0.0, 0.0]
    assert scores.details[1]["outcome"] == "timeout"  # type: ignore[index]
    assert scores.details[1]["reason"] == "the CPU time ran out"  # type: ignore[index]


def test_a_reference_that_never_ends_abstains() -> None:
    score, details = one(r"\boxed{4}", TOWER, cpu_seconds=0.5)
    assert (score, details["outcome"]) == (None, "timeout")
    assert details["reason"] == "the CPU time ran out, on the reference alone too"


def test_scores_are_the_same_off_the_main_thread() -> None:
    completions, answers = [r"\boxed{\frac12}", "the answer is 3", r"\boxed{x}"], ["0.5", "3", "y"]
    with ThreadPoolExecutor(1) as threads:
        elsewhere = threads.submit(scored, completions, answers).result()
    here = scored(completions, answers)
    assert here.values is not None
    assert elsewhere.values is not None
    assert elsewhere.values.tolist() == here.values.tolist() == [1.0, 1.0, 0.0]


def test_it_stands_beside_math_at_weight_zero() -> None:
    config = {"rewards": {"math": {"use": "math"}, "package": {"use": "math_verify", "weight": 0}}}
    batch = rewardkit.Batch.from_columns(completion=[r"\boxed{17 \times 24}", r"\boxed{408}"], answer=["408", "408"])
    rewards = rewardkit.load(config).score(batch)
    assert rewards.totals.tolist() == [0.0, 1.0]
    assert rewards.scores["package"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("status", ["stalled", "error"])
def test_what_says_nothing_about_the_pair_is_a_failure(status: Status) -> None:
    judgement = _judgement(TaskOutcome(status, None, "the machine was busy"))
    assert (judgement.failed, judgement.score) == (True, None)
    assert judgement.reason == "math-verify: the machine was busy"


@pytest.mark.parametrize("status", ["timeout", "memory", "crashed"])
def test_only_a_reference_that_stops_alone_too_is_to_blame(status: Status) -> None:
    stopped, ended = TaskOutcome(status), TaskOutcome("done", {"equal": False, "answer": "0", "reference": "x"})
    assert _stopped(stopped, ended).score == 0.0
    assert _stopped(stopped, stopped).score is None
    assert _stopped(stopped, ended).outcome is Outcome.TIMEOUT


@pytest.mark.slow
def test_it_keeps_every_promise() -> None:
    check_component(MathVerify(cpu_seconds=0.5), {"completion": [r"\boxed{4}", "4"], "answer": ["4", None]})


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)
    with pytest.raises(
        ValidationError, match=r"math-verify is not installed: pip install 'rewardkit-math\[math-verify\]'"
    ):
        MathVerify()


def test_listing_components_imports_neither_math_verify_nor_sympy() -> None:
    script = (
        "import sys; from rewardkit_math import rewardkit_components;"
        "names = [component.name for component in rewardkit_components()];"
        "print('math_verify' in names, *({'math_verify', 'sympy', 'latex2sympy2_extended'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.slow
@pytest.mark.data
def test_the_benchmark_runs(tmp_path: Path) -> None:
    if not (DATA / "math" / "cases.jsonl.gz").exists():
        pytest.skip(f"no evaluation data: {DATA}/math/cases.jsonl.gz does not exist (set REWARDKIT_DATA)")
    listed = tmp_path / "disagreements.jsonl"
    said = benchmark("--quick", "--limit", "3", "--disagreements", str(listed), REWARDKIT_DATA=str(DATA))
    assert said.returncode == 0, said.stderr
    for words in ("core: all but policy and free text", "one batch", "attacks", "aime24", "disagreements"):
        assert words in said.stdout
    assert listed.exists()


def test_the_benchmark_says_that_there_is_no_data(tmp_path: Path) -> None:
    said = benchmark(REWARDKIT_DATA=str(tmp_path))
    assert said.returncode == 1
    assert said.stderr == f"no evaluation data: {tmp_path} holds no math/cases.jsonl.gz (set REWARDKIT_DATA)\n"


def benchmark(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "bench_math.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
