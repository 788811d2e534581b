"""``rewardkit math check``: what it shows, its options, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rewardkit.cli.group import rewardkit


def run(*args: str, **options: Any) -> Result:
    return CliRunner().invoke(rewardkit, ["math", "check", *args], **options)


def test_it_shows_extraction_forms_stage_and_verdict() -> None:
    done = run(r"So it is \boxed{\frac{3}{4}}.", "--answer", "0.75")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "verdict         correct, 1",
        "reason          the numbers are equal",
        "stage           form",
        r"answer          \frac{3}{4}  (rule box, characters 9 to 28)",
        r"answer form     \frac{3}{4}",
        "reference form  0.75",
    ]


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (["41", "--answer", "42"], ["wrong, 0", "the numbers differ", "rule whole"]),
        (
            ["hm", "--answer", "42"],
            ["no_answer, 0", "no answer was found", "nothing was compared", "answer          none"],
        ),
        (["42", "--answer", " "], ["unparsed_reference, abstains", "the reference says nothing"]),
        ([r"\boxed{(x+1)^2}", "--answer", "x^2+2x+1"], ["correct, 1", "stage           formula"]),
        ([r"\boxed{50\%}", "--answer", "0.5", "--set", "percent=sign"], ["wrong, 0"]),
        ([r"\boxed{105}", "--answer", "100", "--set", "partial_credit=0.1"], ["wrong, 0.25", "off by 5.00%"]),
        ([r"\boxed{4", "--answer", "4"], ["no_answer, 0", "not closed"]),
        (
            [r"\boxed{2x^2 + x}", "--answer", "x(2x+1)", "--prompt", "Factor $2x^2+x$."],
            ["wrong, 0", "the answer repeats the question"],
        ),
    ],
)
def test_it_says_why(args: list[str], shown: list[str]) -> None:
    done = run(*args)
    assert done.exit_code == 0
    for text in shown:
        assert text in done.stdout


def test_it_reads_the_response_from_standard_input() -> None:
    assert "correct, 1" in run("-", "--answer", "4", input="long thoughts\nThe answer is 4.\n").stdout


def test_json_has_every_part() -> None:
    shown = json.loads(run("A: 3/6", "--answer", "0.5", "--json").stdout)
    assert shown == {
        "outcome": "correct", "score": 1.0, "reason": "the numbers are equal", "answer": "3/6", "rule": "a_line",
        "start": 0, "end": 6, "answer_form": "3/6", "reference_form": "0.5", "stage": "form",
    }  # fmt: skip


def test_hostile_text_cannot_disturb_the_screen() -> None:
    done = run("\\boxed{\x1b[31m5}", "--answer", "5\x1b[31m")
    assert "\x1b" not in done.stdout
    assert r"\x1b[31m5" in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["4"], "Missing option '--answer'"),
        (["4", "--answer", "4", "--set", "percent"], "'percent' is not NAME=VALUE"),
        (["4", "--answer", "4", "--set", "percent=maybe"], "percent: Input should be 'either', 'sign' or 'value'"),
        (["4", "--answer", "4", "--set", "tolerance=1"], "tolerance: Extra inputs are not permitted"),
    ],
)
def test_what_it_cannot_use_is_refused(args: list[str], message: str) -> None:
    done = run(*args)
    assert done.exit_code == 2
    assert message in done.stderr


def test_it_ends_as_a_process_too_when_sympy_was_asked() -> None:
    command = [sys.executable, "-m", "rewardkit.cli", "math", "check", r"\boxed{\frac{\pi^2}{6}}"]
    series = r"\sum_{n=1}^{\infty} \frac{1}{n^2}"
    done = subprocess.run([*command, "--answer", series], capture_output=True, text=True, check=True, timeout=60)
    assert "correct, 1" in done.stdout
    assert "stage           sympy" in done.stdout
