"""Reading stored scores: the forms that are read, and what is said of those that are not."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from rewardkit_rm.evaluation.scored import ScoreFiles, scored_pair
from rewardkit_rm.pairs.pair import prompt_key

from rewardkit.errors import BatchError
from rewardkit.files import Layout

SCORES = {"chosen_score": 2, "rejected_score": 0.5}
SIDES = {"score_A": 1.0, "score_B": 3.0, "response_A": "aa", "response_B": "b"}

FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "two scores": (SCORES, {"chosen_score": 2.0, "rejected_score": 0.5, "prompt": "", "chosen_length": None}),
    "nested": ({"scores": {"chosen": 1, "rejected": -1}}, {"chosen_score": 1.0, "rejected_score": -1.0}),
    "A is better": (
        SIDES | {"label": "A>B"},
        {"chosen_score": 1.0, "rejected_score": 3.0, "chosen": "aa", "chosen_length": 2, "rejected_length": 1},
    ),
    "B is better": (
        SIDES | {"label": " b > a "},
        {"chosen_score": 3.0, "rejected_score": 1.0, "chosen": "b", "chosen_length": 1, "rejected_length": 2},
    ),
    "B is much better": (SIDES | {"label": "B>>A"}, {"chosen_score": 3.0}),
    "a tie by label": (SIDES | {"label": "A=B"}, {"tie": True, "chosen_score": 1.0}),
    "a tie in words": (SIDES | {"label": "tie"}, {"tie": True}),
    "a tie by flag": (SCORES | {"tie": True}, {"tie": True}),
    "a soft label": (SCORES | {"probability": 0.75}, {"probability": 0.75}),
    "a prompt of text": (SCORES | {"prompt": "2+2?"}, {"prompt": prompt_key("2+2?"), "prompt_text": "2+2?"}),
    "a prompt of messages": (
        SCORES | {"prompt": [{"role": "user", "content": "2+2?"}]},
        {"prompt": prompt_key("2+2?"), "prompt_text": "2+2?"},
    ),
    "a key for the prompt": (SCORES | {"prompt_key": "p7"}, {"prompt": "p7", "prompt_text": ""}),
    "sides as messages": (
        SCORES | {"chosen": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]},
        {"chosen": "4", "chosen_length": 1, "rejected_length": None},
    ),
    "lengths without texts": (
        SCORES | {"chosen_length": 7, "rejected_length": 0},
        {"chosen_length": 7, "rejected_length": 0, "chosen": ""},
    ),
    "names": (SCORES | {"domain": "math", "id": 12}, {"domain": "math", "id": "12"}),
    "one score missing": (
        {"chosen_score": None, "rejected_score": 1},
        {"problem": "the score is null", "rejected_score": 1.0},
    ),
    "missing for a reason": (SCORES | {"rejected_score": None, "problem": "too long"}, {"problem": "too long"}),
}


@pytest.mark.parametrize(("row", "expected"), FORMS.values(), ids=FORMS)
def test_every_form_of_a_stored_pair_is_read(row: dict[str, Any], expected: dict[str, Any]) -> None:
    pair = scored_pair(row, "row 1")
    assert {name: getattr(pair, name) for name in expected} == expected


def test_a_null_score_is_nan_and_never_a_number() -> None:
    assert math.isnan(scored_pair({"chosen_score": None, "rejected_score": 1}, "row 1").chosen_score)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no scores": ({"prompt": "x"}, "row 1: no two scores: needs 'chosen_score' and 'rejected_score'; or"),
    "one score": ({"chosen_score": 1}, r"found 'chosen_score' \(--map gives columns other names\)"),
    "sides without a label": ({"score_A": 1, "score_B": 2}, "no two scores"),
    "text": (SCORES | {"chosen_score": "2"}, "'chosen_score' must be a number, got '2'"),
    "true": (SCORES | {"rejected_score": True}, "'rejected_score' must be a number, got True"),
    "nan": (SCORES | {"chosen_score": math.nan}, "'chosen_score' must be a finite number of usual size, got nan"),
    "infinite": (SCORES | {"chosen_score": -math.inf}, "must be a finite number of usual size, got -inf"),
    "huge": (SCORES | {"chosen_score": 10**400}, "must be a finite number of usual size, got 1000"),
    "label": (SIDES | {"label": "C"}, "'label' must be 'A>B', 'B>A' or 'A=B', got 'C'"),
    "label of a number": (SIDES | {"label": 1}, "'label' must be 'A>B', 'B>A' or 'A=B', got 1"),
    "length": (SCORES | {"chosen_length": -1}, "'chosen_length' must be a number of characters, got -1"),
    "length of truth": (SCORES | {"rejected_length": True}, "'rejected_length' must be a number of characters"),
    "prompt": (SCORES | {"prompt": 3}, "prompt: expected text or chat messages, got int"),
    "side": (SCORES | {"chosen": 3}, "'chosen': expected chat messages, got int"),
    "domain": (SCORES | {"domain": ["x"]}, r"'domain' must be text, got \['x'\]"),
    "tie": (SCORES | {"tie": "no"}, "'tie' must be true or false, got 'no'"),
    "probability": (SCORES | {"probability": 1.5}, "'probability' must be a number from 0 to 1, got 1.5"),
    "probability of text": (SCORES | {"probability": "1"}, "'probability' must be a number from 0 to 1, got '1'"),
}


@pytest.mark.parametrize(("row", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_with_the_reason(row: dict[str, Any], message: str) -> None:
    with pytest.raises(BatchError, match=message):
        scored_pair(row, "row 1")


def test_files_are_read_in_order_and_errors_name_file_and_line(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    first.write_text(json.dumps(SCORES) + "\n\n" + json.dumps(SCORES | {"domain": "x"}) + "\n")
    second.write_bytes(gzip.compress(b'{"chosen_score": 9, "rejected_score": 1}\n{"chosen_score": NaN}\n'))
    files = ScoreFiles([first, second])
    with pytest.raises(BatchError, match=r"b\.jsonl\.gz:2: no two scores"):
        list(files)
    second.write_bytes(gzip.compress(b'{"chosen_score": 9, "rejected_score": NaN}\n'))
    with pytest.raises(BatchError, match=r"b\.jsonl\.gz:1: 'rejected_score' must be a finite number"):
        list(ScoreFiles([first, second]))
    pairs = list(ScoreFiles([first]))
    assert [pair.where for pair in pairs] == [f"{first}:1", f"{first}:3"]
    assert list(ScoreFiles([first])) == pairs


def test_columns_of_other_names_are_mapped(tmp_path: Path) -> None:
    file = tmp_path / "judge.jsonl"
    row = {"label": "B>A", "judgments": [{"judgment": {"scores": [0.25, 4.0]}}]}
    file.write_text(json.dumps(row) + "\n")
    paths = {f"score_{side}": f"judgments.0.judgment.scores.{at}" for at, side in enumerate("AB")}
    [pair] = ScoreFiles([file], Layout(columns=paths))
    assert (pair.chosen_score, pair.rejected_score) == (4.0, 0.25)


def test_a_file_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match=r"none\.jsonl: cannot be read"):
        ScoreFiles([tmp_path / "none.jsonl"])
