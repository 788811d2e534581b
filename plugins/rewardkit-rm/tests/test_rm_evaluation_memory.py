"""Memory of an evaluation does not grow with the number of pairs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from rewardkit_rm.evaluation.evaluate import evaluate
from rewardkit_rm.evaluation.scored import ScoreFiles

pytestmark = pytest.mark.slow


def write_scores(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.writelines(lines(count))


def lines(count: int) -> Iterator[str]:
    """Two pairs a prompt, with texts."""
    text = "x" * 200
    for at in range(count):
        chosen, rejected = (at * 7919) % 1000 / 500, (at * 104729) % 1000 / 700
        yield (
            f'{{"chosen_score": {chosen}, "rejected_score": {rejected}, "prompt": "question {at // 2}", '
            f'"chosen": "{text}{at}", "rejected": "{text[at % 200 :]}", "domain": "d{at % 9}"}}\n'
        )


def peak(path: Path) -> int:
    tracemalloc.start()
    try:
        evaluate(ScoreFiles([path]), sample=5000, replicates=400)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_million_pairs_take_the_memory_of_ten_thousand(tmp_path: Path) -> None:
    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    write_scores(small, 10_000)
    write_scores(large, 1_000_000)
    peaks = [peak(path) for path in (small, large)]
    assert peaks[1] < 1.2 * peaks[0] + 2_000_000
    assert peaks[1] < large.stat().st_size / 4
