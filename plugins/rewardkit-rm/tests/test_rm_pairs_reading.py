"""Rows of every form become pairs; what is no pair is refused, naming place and column."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.reading import PairFiles, pairs_hash, read_pairs
from rewardkit_rm.pairs.rows import pair_row, pairs_of_row

from rewardkit.errors import BatchError, RewardKitError
from rewardkit.files import Layout

USER = {"role": "user", "content": "2+2?"}
SYSTEM = {"role": "system", "content": "Be brief."}
PLAIN = {"prompt": "2+2?", "chosen": "4", "rejected": "5"}


def says(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


FORMS = {
    "text": (PLAIN, Pair("2+2?", "4", "5")),
    "prompt as messages": (PLAIN | {"prompt": [SYSTEM, USER]}, Pair((SYSTEM, USER), "4", "5")),
    "one message": (PLAIN | {"prompt": USER}, Pair((USER,), "4", "5")),
    "nulls of Parquet in a message": (PLAIN | {"prompt": [USER | {"name": None}]}, Pair((USER,), "4", "5")),
    "completions as messages": (
        {"prompt": [USER], "chosen": [says("4")], "rejected": [says("5")]},
        Pair((USER,), "4", "5"),
    ),
    "conversations without a prompt": (
        {"chosen": [SYSTEM, USER, says("4")], "rejected": [SYSTEM, USER, says("5")]},
        Pair((SYSTEM, USER), "4", "5"),
    ),
    "conversations that repeat the prompt": (
        {"prompt": "2+2?", "chosen": [USER, says("4")], "rejected": [USER, says("5")]},
        Pair((USER,), "4", "5"),
    ),
    "text of hh-rlhf": (
        {
            "chosen": "\n\nHuman: Hi\n\nAssistant: Hey.\n\nHuman: 2+2?\n\nAssistant: 4",
            "rejected": "\n\nHuman: Hi\n\nAssistant: Hey.\n\nHuman: 2+2?\n\nAssistant: 5",
        },
        Pair(({"role": "user", "content": "Hi"}, says("Hey."), USER), "4", "5"),
    ),
    "that text stays text with a prompt": (
        PLAIN | {"chosen": "\n\nHuman: Hi\n\nAssistant: 4"},
        Pair("2+2?", "\n\nHuman: Hi\n\nAssistant: 4", "5"),
    ),
    "A is better": (
        {"prompt": "2+2?", "response_a": "4", "response_b": "5", "preference": "A"},
        Pair("2+2?", "4", "5"),
    ),
    "B is better, as label": (
        {"prompt": "2+2?", "response_a": "5", "response_b": "4", "label": " b"},
        Pair("2+2?", "4", "5"),
    ),
    "A and B tie": (
        {"prompt": "2+2?", "response_a": "5", "response_b": "4", "preference": "Tie"},
        Pair("2+2?", "5", "4", probability=0.5, tie=True),
    ),
    "probability of A": (
        {"prompt": "2+2?", "response_a": "5", "response_b": "4", "probability": 0.25},
        Pair("2+2?", "4", "5", probability=0.75),
    ),
    "tie": (PLAIN | {"tie": True}, Pair("2+2?", "4", "5", probability=0.5, tie=True)),
    "tie as label": (PLAIN | {"label": "tie"}, Pair("2+2?", "4", "5", probability=0.5, tie=True)),
    "a tie that leans to a side": (
        PLAIN | {"tie": True, "probability": 0.6},
        Pair("2+2?", "4", "5", probability=0.6, tie=True),
    ),
    "a label of something else": (PLAIN | {"label": "gpt4-judge"}, Pair("2+2?", "4", "5")),
    "improbable": (
        PLAIN | {"probability": 0.25, "margin": -2},
        Pair("2+2?", "5", "4", probability=0.75, margin=2.0),
    ),
    "everything": (
        PLAIN | {"margin": 2, "weight": 0.5, "domain": "math", "annotator": 7, "id": "x", "other": [1]},
        Pair("2+2?", "4", "5", margin=2.0, weight=0.5, domain="math", annotator="7", id="x"),
    ),
    "null is absent": (
        PLAIN | dict.fromkeys(["margin", "weight", "domain", "annotator", "id", "tie", "responses"]),
        Pair("2+2?", "4", "5"),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_row_of_every_form_is_a_pair(form: str) -> None:
    row, expected = FORMS[form]
    assert pairs_of_row(row, "") == [expected]


def test_a_ranking_is_all_its_pairs_and_weighs_as_much_as_one() -> None:
    row = {"prompt": "2+2?", "responses": ["5", "4", "4!"], "scores": [0.1, 0.9, 0.9], "domain": "math", "id": "r"}
    pairs = pairs_of_row(row, "f:1")
    told = [(pair.chosen, pair.rejected, pair.tie, pair.id) for pair in pairs]
    assert told == [("4", "5", False, "r/2-1"), ("4!", "5", False, "r/3-1"), ("4", "4!", True, "r/2-3")]
    assert sum(pair.weight for pair in pairs) == pytest.approx(1)
    assert {(pair.domain, pair.where) for pair in pairs} == {("math", "f:1")}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing known": ({"text": "x", "y": 1}, "f:3: no pair: expected chosen and rejected, .* found text, y"),
    "empty row": ({}, "found nothing"),
    "no rejected": ({"prompt": "p", "chosen": "c"}, "f:3: rejected is missing: a pair needs both"),
    "no chosen": ({"prompt": "p", "rejected": "c", "chosen": None}, "f:3: chosen is missing"),
    "no B": ({"prompt": "p", "response_a": "c", "preference": "A"}, "f:3: response_b is missing"),
    "no prompt": ({"chosen": "a", "rejected": "b"}, "f:3: no prompt: give a column prompt, or conversations as chosen"),
    "ranking without prompt": ({"responses": ["a", "b"]}, "f:3: prompt is missing: a ranking needs it"),
    "prompt a number": (PLAIN | {"prompt": 4}, "f:3: prompt: expected text or chat messages, got int"),
    "prompt without role": (PLAIN | {"prompt": [{"content": "x"}]}, "f:3: prompt: message 0 needs a 'role'"),
    "chosen a number": (PLAIN | {"chosen": 4}, "f:3: chosen: expected text or chat messages, got int"),
    "user at the end": (
        {"chosen": [USER], "rejected": [USER]},
        "f:3: chosen: the last message must be the assistant's",
    ),
    "no message": (PLAIN | {"rejected": []}, "f:3: rejected: the last message must be the assistant's"),
    "prompts differ": (
        {"chosen": [USER, says("4")], "rejected": [SYSTEM, USER, says("5")]},
        "f:3: chosen and rejected must be the same up to their last turn",
    ),
    "another prompt": (
        PLAIN | {"prompt": "3+3?", "chosen": [USER, says("4")]},
        "f:3: chosen: a conversation that does not start with the prompt",
    ),
    "hh text that ends with the user": (
        {"chosen": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c", "rejected": "\n\nHuman: a\n\nAssistant: b"},
        "must be the same up to their last turn",
    ),
    "preference": (
        {"prompt": "p", "response_a": "c", "response_b": "d", "preference": 1},
        "f:3: preference must be 'A', 'B' or 'tie', got 1",
    ),
    "no preference": ({"prompt": "p", "response_a": "c", "response_b": "d"}, "preference must be .*, got None"),
    "tie": (PLAIN | {"tie": "yes"}, "f:3: tie must be true or false, got 'yes'"),
    "margin of text": (PLAIN | {"margin": "2"}, "f:3: margin must be a number, got '2'"),
    "margin nan": (PLAIN | {"margin": float("nan")}, "f:3: margin must be a finite number, got nan"),
    "margin too large": (PLAIN | {"margin": 10**400}, "f:3: margin must be a finite number"),
    "weight": (PLAIN | {"weight": -1}, "f:3: weight must not be negative, got -1"),
    "weight true": (PLAIN | {"weight": True}, "f:3: weight must be a number, got True"),
    "probability": (PLAIN | {"probability": 1.5}, "f:3: probability must be from 0 to 1, got 1.5"),
    "domain": (PLAIN | {"domain": ["math"]}, "f:3: domain must be text, got .*math"),
    "responses": ({"prompt": "p", "responses": "abc"}, "f:3: responses must be a list, got 'abc'"),
    "one response": ({"prompt": "p", "responses": ["a"]}, "f:3: a ranking has 2 to 64 responses, got 1"),
    "ranks": ({"prompt": "p", "responses": ["a", "b"], "ranks": [1]}, "f:3: 2 responses, but 1 ranks"),
    "a rank of text": ({"prompt": "p", "responses": ["a", "b"], "ranks": [1, "b"]}, "f:3: ranks must be a number"),
    "a response of numbers": ({"prompt": "p", "responses": ["a", 2]}, r"f:3: responses\[1\]: expected text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_row_that_is_no_pair_is_refused_by_place_and_column(case: str) -> None:
    row, message = REFUSED[case]
    with pytest.raises(BatchError, match=message):
        pairs_of_row(row, "f:3")


texts = st.text(max_size=8)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "system", "assistant"]), "content": texts}),
    min_size=1,
    max_size=3,
).map(tuple)
finite = st.floats(-100, 100)
pairs_strategy = st.builds(
    Pair,
    prompt=texts | messages,
    chosen=texts,
    rejected=texts,
    probability=st.floats(0.5, 1),
    tie=st.booleans(),
    margin=st.none() | finite,
    weight=st.floats(0, 100),
    domain=texts,
    annotator=texts,
    id=texts,
)


@settings(deadline=None)
@given(pairs_strategy)
def test_a_pair_written_as_a_row_is_read_as_the_same_pair(pair: Pair) -> None:
    assert pairs_of_row(json.loads(json.dumps(pair_row(pair))), "") == [pair]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


ROWS = [PLAIN | {"prompt": f"{number}+{number}?", "id": str(number)} for number in range(5)]


@pytest.fixture(params=["jsonl", "jsonl.gz", "parquet", "folder"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"pairs.{request.param}"
    if request.param == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    elif request.param == "folder":
        datasets = pytest.importorskip("datasets")
        datasets.disable_progress_bars()
        datasets.Dataset.from_list(ROWS).save_to_disk(path)
    else:
        write_lines(path, ROWS)
    return path


def test_every_kind_of_file_gives_the_same_pairs_with_their_places_again_and_again(stored: Path) -> None:
    files = PairFiles([stored, stored])
    expected = [f"{stored}:{number}" for number in [1, 2, 3, 4, 5] * 2]
    for _ in range(2):
        pairs = list(files)
        assert [pair.where for pair in pairs] == expected
        assert [pair.id for pair in pairs] == list("0123401234")
    assert files.position == files.size > 0


def test_the_position_grows_while_files_are_read(stored: Path) -> None:
    files = PairFiles([stored, stored])
    positions = [files.position for _ in files]
    assert positions == sorted(positions)
    assert positions[-1] >= files.size / 2


def test_columns_of_other_names_are_mapped_and_lists_exploded(tmp_path: Path) -> None:
    row = {"q": "2+2?", "pairs": [{"good": "4", "bad": "5"}, {"good": "four", "bad": "six"}]}
    layout = Layout(("pairs",), {"prompt": "q", "chosen": "pairs.good", "rejected": "pairs.bad"})
    pairs = list(PairFiles([write_lines(tmp_path / "a.jsonl", [row])], layout))
    assert [(pair.chosen, pair.rejected) for pair in pairs] == [("4", "5"), ("four", "six")]


def test_a_blank_line_does_not_shift_the_line_that_an_error_names(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(PLAIN) + "\n\n" + json.dumps({"chosen": "x"}) + "\n")
    with pytest.raises(BatchError, match=re.escape(f"{path}:3: rejected is missing")):
        list(PairFiles([path]))


def test_a_folder_of_several_splits_names_them(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    one = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"train": one, "test": one}).save_to_disk(tmp_path / "d")
    with pytest.raises(BatchError, match=r"a dataset of several splits; name the one you mean: .*d/test, .*d/train"):
        PairFiles([tmp_path / "d"])
    assert len(list(PairFiles([tmp_path / "d" / "train"]))) == 5


def test_folders_that_are_no_datasets_are_refused(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    with pytest.raises(BatchError, match=r"a folder that Dataset\.save_to_disk did not write"):
        PairFiles([tmp_path])
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(BatchError, match="a dataset folder that is broken or empty: "):
        PairFiles([tmp_path])
    datasets.Dataset.from_dict({"prompt": []}).save_to_disk(tmp_path / "none")
    with pytest.raises(BatchError, match="a dataset folder that is broken or empty: "):
        PairFiles([tmp_path / "none"])


def test_a_folder_without_the_package_says_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state.json").write_text("{}")
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(RewardKitError, match=r"pip install 'rewardkit-rm\[datasets\]'"):
        PairFiles([tmp_path])


def test_pairs_are_read_from_paths_rows_datasets_and_pairs(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", ROWS)
    sources: list[Any] = [
        path,
        str(path),
        [path],
        ROWS,
        (row for row in ROWS),
        list(read_pairs(ROWS)),
        PairFiles([path]),
    ]
    assert {tuple(pair.id for pair in read_pairs(source)) for source in sources} == {("0", "1", "2", "3", "4")}
    datasets = pytest.importorskip("datasets")
    found = list(read_pairs(datasets.Dataset.from_list([{"prompt": [USER], "chosen": "4", "rejected": "5"}])))
    assert found == [Pair((USER,), "4", "5", where="row 0")]
    rows = read_pairs(ROWS)
    assert list(rows) == list(rows)


def test_sources_of_something_else_are_refused() -> None:
    with pytest.raises(BatchError, match="expected rows, got a dict of train, test; give one of it"):
        read_pairs({"train": [], "test": []})
    with pytest.raises(BatchError, match="row 1: expected a mapping or a Pair, got int"):
        list(read_pairs([PLAIN, 4]))


def test_the_hash_counts_what_is_learned_from_in_any_order() -> None:
    one, other = Pair("p", "c", "r", id="1", annotator="ann", where="f:1"), Pair("q", "c", "r")
    same = Pair("p", "c", "r", id="2", annotator="bob", where="g:7")
    assert pairs_hash([one, other]) == pairs_hash([other, same])
    changed = [Pair("p", "r", "c"), Pair("p", "c", "r", margin=1), Pair("p", "c", "r", weight=2), Pair("P", "c", "r")]
    hashes = {pairs_hash(pairs) for pairs in ([], [one], [one, one], *([pair] for pair in changed))}
    assert len(hashes) == 7
    assert all(re.fullmatch("[0-9a-f]{64}", found) for found in hashes)
    assert pairs_hash([Pair(({"role": "user", "content": "p"},), "c", "\ud83d")])
