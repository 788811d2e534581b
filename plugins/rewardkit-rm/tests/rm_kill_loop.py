"""Train, kill the training with SIGKILL again and again, resume it: a program of its own, as killing needs one.

    python rm_kill_loop.py CONFIG PAIRS OUTPUT:KILLS:SEED ...

The first output is not to be killed: kills at random come within a third of the time that it takes.
Prints a JSON object by output: how often it was killed, how often while a checkpoint was being written. The training is
forked off a process that has imported all it needs, so that a kill costs milliseconds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from rewardkit_rm.training.train import train


def start(config: str, pairs: str, output: Path) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        torch.set_num_threads(1)
        train(config, pairs, output, resume=True)
        status = 0
    finally:
        os._exit(status)


def unfinished(output: Path) -> bool:
    """Tell whether a checkpoint is being written, or the model."""
    folders = output.glob("checkpoints/checkpoint-*")
    return any(not (folder / "complete.json").exists() for folder in folders) or (output / "backbone").exists()


def killed(child: int, output: Path, seconds: float, at_checkpoint: bool) -> bool | None:
    """Kill a training at a checkpoint or after so many seconds; None if it ended before."""
    end = time.monotonic() + (10 * seconds if at_checkpoint else seconds)
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, f"the training failed with status {status}"
            return None
        if at_checkpoint and unfinished(output):
            break
        time.sleep(0.0003)
    written = unfinished(output)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return written


def loop(config: str, pairs: str, folder: Path, kills: int, rng: random.Random, longest: float) -> dict[str, int]:
    count = while_writing = 0
    while count < kills:
        child = start(config, pairs, folder)
        written = killed(child, folder, rng.uniform(0, longest), at_checkpoint=count % 2 == 0)
        if written is None:
            break
        count, while_writing = count + 1, while_writing + written
    _, status = os.waitpid(start(config, pairs, folder), 0)
    assert status == 0, f"the training failed with status {status}"
    return {"kills": count, "while_writing": while_writing}


def main(config: str, pairs: str, *outputs: str) -> None:
    found = {}
    longest = 0.0
    for output in outputs:
        name, kills, seed = output.split(":")
        begin = time.monotonic()
        found[name] = loop(config, pairs, Path(name), int(kills), random.Random(int(seed)), longest)
        longest = longest or (time.monotonic() - begin) / 3
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
