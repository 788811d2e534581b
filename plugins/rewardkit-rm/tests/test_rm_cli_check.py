"""``rewardkit rm check``: exit codes, tables, JSON and the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rewardkit_audit.stress
from click.testing import CliRunner, Result
from planted_models import save_length_model, save_letter_model

from rewardkit.cli.group import rewardkit


def run(*arguments: Any) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(rewardkit, ["rm", *map(str, arguments)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Pairs that the letter model gets right, of lengths that say nothing."""
    rows = [
        {"prompt": f"Say it {at}", "chosen": "y " * (8 + at * 7 % 31), "rejected": "z " * (8 + at * 11 % 31)}
        for at in range(150)
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def few_cases(monkeypatch: pytest.MonkeyPatch, *families: str) -> None:
    """Take one case of some families only: hundreds of long texts take a while, and the first is the longest."""
    chosen = rewardkit_audit.stress.cases(families)[1:2]
    monkeypatch.setattr(rewardkit_audit.stress, "cases", lambda: chosen)


def test_a_sound_model_exits_with_0(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save_letter_model(tmp_path / "rm")
    few_cases(monkeypatch)
    assert run("calibrate", model, data).exit_code == 0
    found = run("check", model, data, "--other", data, "-q")
    assert found.exit_code == 0, found.output
    assert "PASS: Nothing speaks against training on this." in found.output
    assert "Accuracy on other data: pairs.jsonl" in found.output


def test_longer_is_better_exits_with_1_and_says_do_not_train_on_this(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = save_length_model(tmp_path / "rm")
    few_cases(monkeypatch, "long_rambling")
    found = run("check", model, data, "--html", tmp_path / "gate.html", "--batch-tokens", 4096)
    assert found.exit_code == 1
    assert "FAIL: Do not train on this." in found.output
    assert "long rambling: Do not train on this: A long reply that never comes to the point" in found.output
    page = (tmp_path / "gate.html").read_text()
    assert "Do not train on this." in page
    assert "long rambling" in page


def test_json_holds_every_row_and_the_verdict(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few_cases(monkeypatch, "empty")
    found = run("check", save_letter_model(tmp_path / "rm"), data, "--json")
    report = json.loads(found.stdout)
    assert (found.exit_code, report["verdict"], report["passed"]) == (1, "fail", False)
    rows = {row["id"]: row["outcome"] for row in report["rows"]}
    assert rows["calibration"] == "fail"
    assert rows["accuracy"] == "pass"
    assert {"margin", "domains", "shorter", "length", "unscored", "scale", "drift", "empty", "long"} < set(rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--html", "{folder}/no/page.html"], "cannot be written: there is no folder"),
        (["--html", "{folder}/pairs.jsonl"], "cannot be written: it is an input"),
        (["--calibration", "{folder}/none.json"], "none.json: cannot be read: No such file"),
        (["--calibration", "{folder}/pairs.jsonl"], "pairs.jsonl: "),
        (["--other", "{folder}/none.jsonl"], "none.jsonl: cannot be read"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
    ],
)
def test_bad_input_is_said_before_anything_is_scored(
    data: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    model = save_letter_model(tmp_path / "rm")
    found = run("check", model, data, *(option.format(folder=tmp_path) for option in options))
    assert found.exit_code == 2
    assert message in found.output


@pytest.mark.slow
def test_every_family_of_stress_cases_is_a_row(data: Path, tmp_path: Path) -> None:
    found = run("check", save_length_model(tmp_path / "rm"), data, "--json", "--batch-tokens", 4096)
    rows = {row["id"] for row in json.loads(found.stdout)["rows"]}
    assert {f"stress.{family}" for family in rewardkit_audit.stress.FAMILIES} <= rows
