"""Training that is killed with SIGKILL, also while it writes a checkpoint, ends with the weights of one that is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_models import save_base

LOOP = Path(__file__).with_name("rm_kill_loop.py")
SAME = ("head.safetensors", "backbone/model.safetensors", "history.jsonl")
CONFIG = """
model: {{base: base, train: {train}}}
training: {{batch_size: 8, learning_rate: 1e-3, eval_every: 3, patience: {patience}, epochs: 2}}
"""


def prepare(folder: Path, train: str, patience: str = "null") -> None:
    save_base(folder / "base", "llama", attention_dropout=0.1)
    (folder / "config.yaml").write_text(CONFIG.format(train=train, patience=patience))
    rows = (
        {"prompt": f"What is {place}?", "chosen": f"good {place % 7}", "rejected": f"bad {place % 5}"}
        for place in range(100)
    )
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(folder: Path, kills: dict[str, int]) -> dict[str, Any]:
    """Train in a process of its own, the training for each output killed so often."""
    outputs = [f"{name}:{number}:{seed}" for seed, (name, number) in enumerate(kills.items())]
    command: list[str] = [sys.executable, str(LOOP), "config.yaml", "pairs.jsonl", *outputs]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    counts: dict[str, Any] = json.loads(done.stdout)
    return counts


def assert_same(folder: Path, one: str, other: str) -> None:
    for name in SAME:
        assert (folder / one / name).read_bytes() == (folder / other / name).read_bytes(), name


def test_a_training_killed_again_and_again_ends_with_the_same_weights(tmp_path: Path) -> None:
    prepare(tmp_path, "full")
    counts = run(tmp_path, {"whole": 0, "killed": 4})
    assert counts["killed"]["kills"] == 4
    assert counts["killed"]["while_writing"] >= 2
    assert_same(tmp_path, "whole", "killed")


@pytest.mark.slow
@pytest.mark.parametrize(("train", "patience"), [("full", "null"), ("head", "null"), ("lora", "null"), ("full", "2")])
def test_a_training_killed_sixty_times_ends_with_the_same_weights(tmp_path: Path, train: str, patience: str) -> None:
    prepare(tmp_path, train, patience)
    counts = run(tmp_path, {"whole": 0} | {f"killed{number}": 10 for number in range(6)})
    for name in counts:
        assert_same(tmp_path, "whole", name)
    assert sum(found["kills"] for found in counts.values()) >= 40
    assert sum(found["while_writing"] for found in counts.values()) >= 20
