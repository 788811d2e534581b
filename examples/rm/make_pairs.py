"""Make preference pairs of verified rollouts: an answer that the math verifier accepts, above one that it does not.

Run it as ``python make_pairs.py ../rollouts.jsonl pairs.jsonl``. Both completions of a pair come from the same prompt
and from the same model. A prompt gives at most ``--each`` pairs, so that none dominates; one whose completions are all
right or all wrong gives none.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import rewardkit


def verified(rows: list[dict[str, Any]]) -> list[float]:
    """Return 1.0 for each right completion, 0.0 for a wrong one, nan where the verifier abstains."""
    rewards = rewardkit.load("math").score(rewardkit.Batch.from_rows(rows))
    return [float(score) for score in rewards.totals]


def pairs(rows: list[dict[str, Any]], each: int, seed: int) -> list[dict[str, Any]]:
    """Return up to ``each`` pairs a prompt, drawn from all pairs of a right and a wrong completion."""
    sides: dict[str, dict[float, dict[str, None]]] = defaultdict(lambda: {1.0: {}, 0.0: {}})
    domains = {}
    for row, score in zip(rows, verified(rows), strict=True):
        if score in (0.0, 1.0) and row["completion"].strip():
            sides[row["prompt"]][score][row["completion"]] = None
            domains[row["prompt"]] = row["data_source"]
    found = []
    for prompt, by_score in sides.items():
        both = list(product(by_score[1.0], by_score[0.0]))
        for chosen, rejected in random.Random(f"{seed} {prompt}").sample(both, min(each, len(both))):
            found.append({"prompt": prompt, "chosen": chosen, "rejected": rejected, "domain": domains[prompt]})
    return found


def main() -> None:
    """Read rollouts, write pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rollouts", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--each", type=int, default=8, help="pairs of one prompt at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.rollouts.read_text().splitlines()]
    found = pairs(rows, options.each, options.seed)
    options.output.write_text("".join(f"{json.dumps(pair, ensure_ascii=False)}\n" for pair in found))
    prompts = len({pair["prompt"] for pair in found})
    sys.stderr.write(f"{len(found)} pairs of {prompts} prompts, from {len(rows)} rollouts: {options.output}\n")


if __name__ == "__main__":
    main()
