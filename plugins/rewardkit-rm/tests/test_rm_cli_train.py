"""``rewardkit rm train``: what it prints, and how it ends."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from rewardkit_rm.models.loading import load
from tiny_models import save_base

from rewardkit.cli.group import rewardkit


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save_base(tmp_path / "base", "llama")
    text = "model: {base: base, train: head}\ntraining: {batch_size: 8, eval_every: 4, epochs: 2, patience: null}\n"
    (tmp_path / "config.yaml").write_text(text)
    rows = (
        {"prompt": f"What is {place}?", "chosen": f"good {place}", "rejected": f"bad {place}"} for place in range(60)
    )
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(rewardkit, ["rm", "train", *arguments])


def test_a_run_prints_what_was_trained_and_what_comes_next(folder: Path) -> None:
    result = invoke("config.yaml", "pairs.jsonl", "--output", "my-rm")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["set", "pairs", "accuracy", "margin", "loss"]
    assert lines[2].startswith("train, while learning ")
    assert lines[3].startswith("validation ")
    assert "Trained a head on frozen features (17 parameters) in " in result.stdout
    assert "Kept the weights of step " in result.stdout
    assert lines[-1] == "Saved to my-rm; next: rewardkit rm eval my-rm HELD-OUT --html report.html"
    assert "step 4  validation  loss " in result.stderr
    assert load("my-rm").score(["Hi"], ["good"]).problems == {}


def test_quiet_prints_the_table_only(folder: Path) -> None:
    result = invoke("config.yaml", "pairs.jsonl", "-o", "my-rm", "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Saved to my-rm" in result.stdout


def test_settings_can_be_changed(folder: Path) -> None:
    changes = ["--set", "training.epochs=1", "--set", "loss.kind=classification"]
    assert invoke("config.yaml", "pairs.jsonl", "-o", "my-rm", *changes).exit_code == 0
    card = json.loads((folder / "my-rm" / "training_card.json").read_text())
    assert (card["settings"]["training"]["epochs"], card["settings"]["loss"]["kind"]) == (1.0, "classification")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml", "-o", "my-rm"], "error: none.yaml: cannot be read: No such file or directory"),
        (["config.yaml", "-o", "my-rm"], "error: no pairs to train on: give files as DATA"),
        (["config.yaml", "none.jsonl", "-o", "my-rm"], "none.jsonl"),
        (["config.yaml", "pairs.jsonl", "-o", "base"], "error: base holds files that are not of a training run"),
        (
            ["config.yaml", "pairs.jsonl", "-o", "my-rm", "--resume", "--overwrite"],
            "error: resume goes on with a run, overwrite throws it away: choose one",
        ),
        (
            ["config.yaml", "pairs.jsonl", "-o", "my-rm", "--set", "model.trian=full", "--set", "training.epochs=no"],
            "config.yaml: 2 problems\n  - model.trian: unknown key 'trian'; did you mean 'train'?",
        ),
        (
            ["config.yaml", "pairs.jsonl", "-o", "my-rm", "--set", "model.base=none/such"],
            "'none/such' is no folder",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder: Path, arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (folder / "my-rm" / "training_card.json").exists()


def test_a_second_run_needs_resume_or_overwrite(folder: Path) -> None:
    first = invoke("config.yaml", "pairs.jsonl", "-o", "my-rm")
    assert invoke("config.yaml", "pairs.jsonl", "-o", "my-rm").exit_code == 2
    again = invoke("config.yaml", "pairs.jsonl", "-o", "my-rm", "--resume")
    assert again.stdout == first.stdout
    assert "going on with the checkpoint of step" in again.stderr
    other = invoke("config.yaml", "pairs.jsonl", "-o", "my-rm", "--resume", "--set", "training.seed=3")
    assert "these differ: training.seed (0 then, 3 now)" in other.stderr
    assert invoke("config.yaml", "pairs.jsonl", "-o", "my-rm", "--overwrite").exit_code == 0


def test_warnings_are_printed(folder: Path) -> None:
    rows = [{"prompt": f"dev {place}", "chosen": f"bad {place}", "rejected": f"good {place}"} for place in range(60)]
    (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes = ["data.validation=dev.jsonl", "training.learning_rate=0.03", "training.epochs=20"]
    options = [part for change in changes for part in ("--set", change)]
    result = invoke("config.yaml", "pairs.jsonl", "-o", "my-rm", *options)
    assert "Warning: over-fitting: accuracy " in result.stdout


def test_an_interrupt_keeps_the_last_checkpoint_and_says_how_to_go_on(folder: Path) -> None:
    command = [sys.executable, "-m", "rewardkit.cli", "rm", "train", "config.yaml", "pairs.jsonl", "-o", "my-rm"]
    command += ["--set", "training.epochs=10000"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    # A shell starts what runs in the background with SIGINT ignored, and children inherit that.
    listen = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
        try:
            while not list(folder.glob("my-rm/checkpoints/*/complete.json")):
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "is kept; the same command with --resume goes on\ninterrupted" in errors


def test_help_names_what_there_is() -> None:
    told = invoke("--help").stdout
    assert all(option in told for option in ("--output", "--resume", "--overwrite", "--set", "accelerate launch"))


def test_help_loads_no_torch() -> None:
    code = "import sys, rewardkit_rm.cli.train, rewardkit_rm.training.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_base_that_is_not_there_leaves_no_run_behind(folder: Path) -> None:
    result = invoke("config.yaml", "pairs.jsonl", "--output", "my-rm", "--set", "model.base=./none")
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr
    assert not (folder / "my-rm").exists()
    assert invoke("config.yaml", "pairs.jsonl", "--output", "my-rm").exit_code == 0
