"""One run in several processes, as torchrun and accelerate start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from rewardkit_rm.models.loading import load
from tiny_models import save_base


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    config = {
        "model": {"base": save_base(tmp_path / "base"), "train": "full"},
        "training": {"batch_size": 8, "eval_every": 4, "epochs": 1, "patience": None},
        "data": {"validation_share": 0.25},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    rows = [{"prompt": f"What is {i}?", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(61)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "rewardkit.cli", "rm", "train", "config.json", "pairs.jsonl", "--output", "out"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Saved to out") == 1
    card = json.loads((tmp_path / "out" / "training_card.json").read_text())
    used = {name: found["counts"]["used"] for name, found in card["data"].items()}
    assert card["metrics"]["validation"]["decided"] == used["validation"]  # each pair once, though 61 is odd
    assert card["steps"] == -(-used["train"] // 8)  # a step is of eight pairs over both processes
    assert not load(tmp_path / "out", device="cpu").score(["Hi"], ["good"]).problems
