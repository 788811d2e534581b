"""``rewardkit rm eval``: stored scores and models, every output, and what is refused."""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rewardkit_rm.evaluation.scored import ScoreFiles
from rewardkit_rm.models.saving import save
from tiny_models import tiny_scorer

from rewardkit.cli.group import rewardkit

SCORES: list[dict[str, Any]] = [
    {
        "chosen_score": at % 7 / 2,
        "rejected_score": at % 3 / 2,
        "prompt": f"question {at}",
        "chosen": "yes " * (at % 4),
        "rejected": "no " * (at % 5),
        "domain": "math" if at % 2 else "chat",
    }
    for at in range(60)
]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(rewardkit, ["rm", "eval", *arguments], prog_name="rewardkit")


@pytest.fixture
def scores(tmp_path: Path) -> str:
    return write(tmp_path / "scores.jsonl", SCORES)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models")
    save(tiny_scorer(folder / "base"), folder / "rm")
    return str(folder / "rm")


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    return write(
        tmp_path / "pairs.jsonl", [{name: row[name] for name in ("prompt", "domain")} | SIDES for row in SCORES]
    )


SIDES = {"chosen": "It is four.", "rejected": "No"}


def test_stored_scores_need_no_model(scores: str) -> None:
    found = run("--scores", scores)
    assert found.exit_code == 0, found.output
    accuracy = sum(row["chosen_score"] > row["rejected_score"] for row in SCORES) / 60
    assert f"{100 * accuracy:.1f} %" in found.stdout
    for word in (
        "95 % interval",
        "longer wins",
        "shorter wins",
        "median margin",
        "Brier score",
        "math",
        "chosen longer",
    ):
        assert word in found.stdout
    assert "warning: " in found.stderr


def test_json_on_stdout_is_all_of_stdout_and_starts_with_accuracy(scores: str) -> None:
    found = run("--scores", scores, "--json", "-")
    assert found.exit_code == 0, found.output
    assert next(iter(json.loads(found.stdout))) == "accuracy"


def test_json_and_page_are_written(scores: str, tmp_path: Path) -> None:
    found = run("--scores", scores, "--json", str(tmp_path / "e.json"), "--html", str(tmp_path / "e.html"), "-q")
    assert found.exit_code == 0, found.output
    assert found.stdout == ""
    assert json.loads((tmp_path / "e.json").read_text())["pairs"] == 60
    assert "<svg" in (tmp_path / "e.html").read_text()


def test_a_model_scores_pairs_and_its_scores_serve_as_a_baseline(model: str, pairs: str, tmp_path: Path) -> None:
    saved, out = str(tmp_path / "saved.jsonl"), str(tmp_path / "e.json")
    found = run(model, pairs, "--save-scores", saved, "--json", out, "--device", "cpu")
    assert found.exit_code == 0, found.output
    again = run("--scores", saved, "--baseline", saved, "--json", "-")
    first, second = json.loads(Path(out).read_text()), json.loads(again.stdout)
    for name in ("accuracy", "accuracy_interval", "margins", "calibration", "by_domain"):
        assert first[name] == second[name], name
    assert second["baselines"][-1]["difference"] == {"value": 0.0, "interval": [0.0, 0.0]}
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_saved_scores_are_read_as_they_were(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"chosen_score": 2.0, "rejected_score": 1.0, "probability": 0.0},
        {"chosen_score": 2.0, "rejected_score": 1.0, "chosen": "", "rejected": "no"},
        {"chosen_score": 0, "rejected_score": -0.5, "tie": True, "domain": "d", "id": 0},
        {"chosen_score": 1.0, "rejected_score": 0.5, "prompt": "Why?", "chosen_length": 0, "rejected_length": 7},
    ]
    path, saved = write(tmp_path / "a.jsonl", rows), str(tmp_path / "b.jsonl")
    assert run("--scores", path, "--save-scores", saved, "-q").exit_code == 0
    before, after = ([*ScoreFiles([name])] for name in (path, saved))
    texts: dict[str, Any] = {"prompt_text": "", "chosen": "", "rejected": "", "where": ""}
    assert [dataclasses.replace(pair, **texts) for pair in after] == [
        dataclasses.replace(pair, **texts) for pair in before
    ]


def test_training_accuracy_comes_from_the_card_beside_the_model(model: str, pairs: str) -> None:
    card = Path(model, "training_card.json")
    for text, expected in (('{"accuracy": {"train": 1.0}}', 1.0), ("[]", None), ('{"accuracy": {"train": "x"}}', None)):
        card.write_text(text)
        found = run(model, pairs, "--json", "-", "--device", "cpu")
        assert json.loads(found.stdout)["training_accuracy"] == expected
    card.unlink()


def test_other_domains_and_ratings_stand_beside_the_accuracy(scores: str, tmp_path: Path) -> None:
    other = write(tmp_path / "other.jsonl", SCORES[:20])
    ratings = write(tmp_path / "ratings.jsonl", [{"human": {"wit": at}, "score": at**2} for at in range(40)])
    found = run("--scores", scores, "--other", other, "--ratings", ratings, "--map", "rating=human", "--json", "-")
    assert found.exit_code == 0, found.output
    evaluation = json.loads(found.stdout)
    assert evaluation["spill_over"][0]["pairs"] == 20
    assert evaluation["ratings"][0]["name"] == "wit"
    assert evaluation["ratings"][0]["spearman"]["value"] == 1.0
    assert "Spearman with wit" in run("--scores", scores, "--ratings", ratings, "--map", "rating=human").stdout


def test_a_model_scores_rated_responses(model: str, pairs: str, tmp_path: Path) -> None:
    rows = [{"prompt": "Why?", "response": "so " * at, "rating": at} for at in range(1, 30)]
    found = run(model, pairs, "--ratings", write(tmp_path / "r.jsonl", rows), "--json", "-", "--device", "cpu")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["ratings"][0]["responses"] == 29


def test_names_of_other_tools_are_mapped(tmp_path: Path) -> None:
    rows = [{"pair": {"label": "A>B"}, "out": [2.0, 1.0]}, {"pair": {"label": "B>A"}, "out": [2.0, 3.0]}]
    mapped = [f"--map={name}" for name in ("label=pair.label", "score_A=out.0", "score_B=out.1")]
    found = run("--scores", write(tmp_path / "judge.jsonl", rows), *mapped, "--json", "-")
    assert json.loads(found.stdout)["accuracy"] == 1.0


def test_pairs_without_a_score_are_counted_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "some.jsonl", [*SCORES, {"chosen_score": None, "rejected_score": 1.0}])
    found = run("--scores", path)
    assert found.exit_code == 0
    assert "1 without scores left out" in found.stdout
    assert f"1 pair could not be scored, first {path}:61: the score is null" in found.stderr


def test_texts_of_a_model_cannot_disturb_the_terminal(tmp_path: Path) -> None:
    rows = [row | {"prompt": "\x1b[2J\x07", "domain": "\x1b[31m", "chosen_score": -1.0} for row in SCORES]
    found = run("--scores", write(tmp_path / "hostile.jsonl", rows), "--other", write(tmp_path / "o.jsonl", rows))
    assert found.exit_code == 0
    assert "\x1b" not in found.output
    assert "\\x1b[2J" in found.output


REFUSED: dict[str, tuple[list[str], str]] = {
    "no data": (["{scores}"], "Missing argument 'DATA...'; for stored scores without a model: --scores"),
    "no file": (["--scores", "{folder}/none.jsonl"], "none.jsonl: cannot be read"),
    "no scores": (["--scores", "{pairs}"], "pairs.jsonl:1: no two scores"),
    "no model": (["{folder}/none", "{pairs}"], "none"),
    "no folder for the page": (["--scores", "{scores}", "--html", "{folder}/a/b.html"], "there is no folder"),
    "a folder for JSON": (["--scores", "{scores}", "--json", "{folder}"], "cannot be written: it is a folder"),
    "an input as output": (["--scores", "{scores}", "--save-scores", "{scores}"], "cannot be written: it is an input"),
    "other pairs": (["--scores", "{scores}", "--baseline", "{fewer}"], "the baseline holds other pairs: "),
    "ratings": (["--scores", "{scores}", "--ratings", "{pairs}"], "pairs.jsonl:1: needs 'rating'"),
    "broken": (["--scores", "{broken}"], "broken.jsonl.gz: after line 0: "),
    "nan": (["--scores", "{nan}"], "nan.jsonl:1: 'chosen_score' must be a finite number of usual size, got nan"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_ends_with_code_2_and_the_reason(
    arguments: list[str], message: str, scores: str, pairs: str, tmp_path: Path
) -> None:
    named = {
        "scores": scores,
        "pairs": pairs,
        "folder": str(tmp_path),
        "fewer": write(tmp_path / "fewer.jsonl", SCORES[:50]),
        "nan": write(tmp_path / "nan.jsonl", [{"chosen_score": math.nan, "rejected_score": 1}]),
        "broken": str(tmp_path / "broken.jsonl.gz"),
    }
    Path(named["broken"]).write_bytes(gzip.compress(b"{}\n" * 100)[:20])
    found = run(*(argument.format(**named) for argument in arguments))
    assert found.exit_code == 2, found.output
    assert message in " ".join(found.stderr.split())


def test_scores_are_not_left_half_written(scores: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text(Path(scores).read_text() + "{\n")
    assert run("--scores", str(broken), "--save-scores", str(tmp_path / "out.jsonl")).exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.jsonl", "scores.jsonl"]


def test_help_loads_no_heavy_library() -> None:
    import subprocess
    import sys

    heavy = "{'torch', 'transformers', 'scipy', 'matplotlib'}"
    code = f"import sys, rewardkit_rm.cli.evaluate; print({heavy} & {{*sys.modules}})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
