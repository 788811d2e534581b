"""``rewardkit rm calibrate``: what it writes, what it prints, what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from planted_models import save_letter_model
from rewardkit_rm.calibrating import fit_temperature
from rewardkit_rm.models.loading import load
from safetensors.torch import load_file, save_file

import rewardkit as rk
from rewardkit.cli.group import rewardkit


def run(*arguments: Any) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(rewardkit, ["rm", "calibrate", *map(str, arguments)])


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def pair_rows(n: int = 100) -> list[dict[str, Any]]:
    """Pairs of which the letter model gets four of five right."""
    sides = [("y " * (at % 7 + 1), "z " * (at % 5 + 1)) for at in range(n)]
    return [
        {"prompt": f"Say it {at}", "chosen": b if at % 5 == 0 else a, "rejected": a if at % 5 == 0 else b}
        for at, (a, b) in enumerate(sides)
    ]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(save_letter_model(tmp_path / "rm"))


def test_pairs_give_a_calibration_that_a_config_takes(model: Path, tmp_path: Path) -> None:
    rows = pair_rows()
    found = run(model, write(tmp_path / "pairs.jsonl", rows))
    assert found.exit_code == 0, found.output
    scorer = load(model)
    prompts = [row["prompt"] for row in rows]
    chosen, rejected = (scorer.score(prompts, [row[side] for row in rows]).values for side in ("chosen", "rejected"))
    calibration = rk.Calibration.load(model / "calibration.json")
    both = np.stack([chosen, rejected], axis=1).ravel()
    assert [calibration.mean, calibration.std] == pytest.approx([both.mean(), both.std()])
    assert calibration.temperature == pytest.approx(fit_temperature(chosen - rejected), rel=1e-5)
    assert (calibration.model, calibration.n) == (scorer.digest, 200)
    for text in ("200 scores: mean", "100 pairs: temperature", "negative log-likelihood", "Brier", "calibration error"):
        assert text in found.output
    term = {"use": "reward_model", "settings": {"model": str(model)}, "normalize": str(model / "calibration.json")}
    totals = (
        rk.load({"rewards": {"taste": term}})
        .score(rk.Batch.from_columns(prompt=prompts, completion=[row["chosen"] for row in rows]))
        .totals
    )
    np.testing.assert_allclose(totals, (chosen - both.mean()) / both.std(), atol=1e-4)


@pytest.mark.parametrize(
    "row",
    [
        lambda text: {"prompt": "Say it", "completion": f"<think>z z z</think>\n{text}"},
        lambda text: {"prompt": "Say it", "response": text},
        lambda text: {"messages": [{"role": "user", "content": "Say it"}, {"role": "assistant", "content": text}]},
    ],
    ids=["completion", "response", "messages"],
)
def test_single_responses_are_scored_as_the_component_does(model: Path, tmp_path: Path, row: Any) -> None:
    texts = ["y " * (at % 9) for at in range(2100)]
    found = run(model, write(tmp_path / "singles.jsonl", [row(text) for text in texts]), "--json")
    assert found.exit_code == 0, found.output
    printed = json.loads(found.stdout)
    expected = load(model).score(["Say it"] * 2100, texts).values
    assert printed["temperature"] is None
    assert printed["calibration"]["n"] == 2100
    assert printed["calibration"]["mean"] == pytest.approx(expected.mean(), rel=1e-5)


def test_a_second_set_is_compared(model: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", pair_rows())
    second = write(tmp_path / "b.jsonl", [{"prompt": "Say it", "completion": "y " * 20}] * 100)
    found = run(model, first, "--compare", first, "--compare", second)
    assert f"stable: {first}" in found.output
    assert f"drifted: {second}" in found.output
    assert "standard deviations away" in found.output


def test_responses_that_cannot_be_scored_are_counted_with_the_reason(model: Path, tmp_path: Path) -> None:
    rows = [*pair_rows(), {"prompt": "q", "chosen": "half \ud83d", "rejected": "z"}]
    found = run(model, write(tmp_path / "pairs.jsonl", rows))
    assert "1 response left out: chosen: holds half of a surrogate pair" in found.output


def test_what_no_temperature_fits_is_said_and_the_rest_is_saved(model: Path, tmp_path: Path) -> None:
    rows = [row for at, row in enumerate(pair_rows()) if at % 5]
    found = run(model, write(tmp_path / "pairs.jsonl", rows), "-o", tmp_path / "c.json", "--clip", 3)
    assert found.exit_code == 0
    assert "80 pairs: no temperature: no pair contradicts its margin" in found.output
    saved = rk.Calibration.load(tmp_path / "c.json")
    assert (saved.temperature, saved.clip) == (None, 3.0)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (pair_rows(10), [], "at least 30 scores, got 20"),
        ([{"prompt": "q", "completion": "a"}] * 50, [], "all 50 responses got the score 0"),
        ([{"question": "q"}], [], "no pair: expected chosen and rejected"),
        ([{"completion": "a"}] * 50, [], "column 'prompt' is missing"),
        (pair_rows(10), ["-o", "{folder}/no/c.json"], "cannot be written: there is no folder"),
        (pair_rows(10), ["-o", "{folder}"], "cannot be written: it is a folder"),
        (pair_rows(10), ["-o", "{folder}/pairs.jsonl"], "cannot be written: it is an input"),
        (pair_rows(10), ["--compare", "{folder}/none.jsonl"], "none.jsonl: cannot be read"),
        (pair_rows(10), ["--dtype", "int8"], "'int8' is not one of"),
        (pair_rows(10), ["--clip", "0"], "is not in the range x>0"),
    ],
)
def test_bad_input_is_one_sentence(
    model: Path, tmp_path: Path, rows: list[dict[str, Any]], options: list[str], message: str
) -> None:
    data = write(tmp_path / "pairs.jsonl", rows)
    found = run(model, data, *(option.format(folder=tmp_path) for option in options))
    assert found.exit_code == 2
    assert message in found.output
    assert not (model / "calibration.json").exists()


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    found = run(tmp_path / "none", write(tmp_path / "pairs.jsonl", pair_rows()))
    assert found.exit_code == 2
    assert "there is no folder" in found.output


def test_a_model_without_any_score_says_why(model: Path, tmp_path: Path) -> None:
    weights = load_file(model / "model.safetensors")
    weights["score.weight"] = weights["score.weight"] * math.nan
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    found = run(model, write(tmp_path / "pairs.jsonl", pair_rows()))
    assert found.exit_code == 2
    assert "at least 30 scores, got 0; the first response without one: chosen: the model's score is nan" in found.output


def test_a_model_that_is_no_folder_of_yours_needs_an_output(tmp_path: Path) -> None:
    found = run("package:rewardkit_rm/models", write(tmp_path / "pairs.jsonl", pair_rows()))
    assert found.exit_code == 2
    assert "is no folder of yours: say with --output where the calibration goes" in found.output
