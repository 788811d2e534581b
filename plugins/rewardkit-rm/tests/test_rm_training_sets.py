"""Which pairs a run is made of, which are left out, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rewardkit_rm.models.encoding import ResponseEncoder
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import EncodingSettings
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.splitting import split_by_prompt
from rewardkit_rm.training.config import load_config
from rewardkit_rm.training.errors import TrainingError
from rewardkit_rm.training.features import embed_texts, fingerprint
from rewardkit_rm.training.pairset import Counts, TokenCollator, collate_features, encode_pairs
from rewardkit_rm.training.progress import Progress
from rewardkit_rm.training.sets import read_sets
from tiny_models import tiny_scorer, tiny_tokenizer

from rewardkit.errors import BatchError

PAIRS = [Pair(f"Question {number}?", f"good answer {number}", f"bad answer {number}") for number in range(100)]


class Listener(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def sets(rows: Iterable[Any] | None, **settings: Any) -> tuple[dict[str, list[Pair]], list[str]]:
    listener = Listener()
    return read_sets(load_config({"model": {"base": "b"}, **settings}), rows, listener), listener.said


def write(path: Path, pairs: Iterable[Pair]) -> str:
    rows = ({"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected} for pair in pairs)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_share_of_the_prompts_is_set_aside() -> None:
    found, said = sets(PAIRS)
    assert len(found["train"]) + len(found["validation"]) == 100
    assert 3 <= len(found["validation"]) <= 20  # 10 ± 3
    assert said == []


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (
            lambda n: Pair(f"Question {n}?", "Sure!", f"bad {n}"),
            "warning: the chosen side is one and the same text in 100",
        ),
        (lambda n: Pair(f"Question {n}?", f"good {n}", "I cannot."), "warning: the rejected side is one and the same"),
        (lambda n: Pair(f"Question {n}?", f"good \ud83d {n}", f"bad {n}"), "half of a surrogate pair"),
    ],
    ids=["one text wins", "one text loses", "broken text"],
)
def test_what_the_checks_call_an_error_is_said(pair: Callable[[int], Pair], said: str) -> None:
    messages = sets([pair(number) for number in range(100)])[1]
    assert any(said in message and message.endswith("see 'rewardkit rm data check'") for message in messages)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_part_that_was_split_off_before_with_the_same_seed_is_split_again(seed: int) -> None:
    part = split_by_prompt(PAIRS, {"train": 0.8, "validation": 0.2}, seed)["train"]
    found, _ = sets(part, data={"split_seed": seed, "validation_share": 0.2})
    assert 5 <= len(found["validation"]) <= 28  # 16 ± 3


def test_another_split_seed_sets_other_prompts_aside() -> None:
    one, _ = sets(PAIRS)
    other, _ = sets(PAIRS, data={"split_seed": 1})
    assert one["validation"] != other["validation"]
    assert sets(PAIRS, training={"seed": 1})[0] == one


def test_files_of_all_kinds_are_read(tmp_path: Path) -> None:
    data = {
        "train": write(tmp_path / "train.jsonl", PAIRS[:50]),
        "validation": [write(tmp_path / "dev.jsonl", PAIRS[50:70])],
        "other_domains": {"math": write(tmp_path / "math.jsonl", PAIRS[70:])},
    }
    found, _ = sets(None, data=data)
    assert {name: len(part) for name, part in found.items()} == {"train": 50, "validation": 20, "math": 30}


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"q": "1+1?", "tries": [{"good": "2", "bad": "3"}]}\n')
    columns = {"prompt": "q", "chosen": "tries.good", "rejected": "tries.bad"}
    data = {"train": str(path), "validation_share": 0.0, "columns": columns, "explode": ["tries"]}
    assert sets(None, data=data)[0]["train"][0].chosen == "2"


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (None, {}, r"no pairs to train on: give files as DATA, or name them in the config as data\.train"),
        ([], {}, "there are no pairs to train on"),
        ([Pair("p", "good", "")] * 3, {}, "the rejected side of every pair is empty"),
        ([Pair("p", "  ", "bad")] * 3, {}, "the chosen side of every pair is empty"),
        (
            [Pair("p", "a", "b")],
            {},
            "no pair is left for (train|validation): 1 pair of 1 prompt, split with",
        ),
        ([Pair(str(i), "a", "b", tie=True) for i in range(99)], {}, "every pair is a tie"),
        (PAIRS, {"loss": {"margin": True}}, r"loss\.margin is true, and no pair has a margin"),
        (
            [Pair(str(i), "longer", "short") for i in range(99)],
            {"data": {"balance_length": "subsample"}},
            "no pair is left after balance_length",
        ),
    ],
)
def test_pairs_that_teach_nothing_are_refused(rows: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        sets(rows, **settings)


def test_a_row_with_one_side_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "1+1?", "chosen": "2"}\n')
    with pytest.raises(BatchError, match=r"pairs.jsonl:1: rejected is missing"):
        sets(None, data={"train": str(path)})


@pytest.mark.parametrize("name", ["validation", "other_domains"])
def test_a_prompt_in_two_sets_is_refused(tmp_path: Path, name: str) -> None:
    train = write(tmp_path / "train.jsonl", PAIRS[:50])
    again = write(tmp_path / "again.jsonl", [*PAIRS[60:], Pair("QUESTION  7?", "x", "y")])
    held_out: dict[str, Any] = {"validation": again} if name == "validation" else {"other_domains": {"math": again}}
    with pytest.raises(TrainingError) as caught:
        sets(None, data={"train": train, **held_out})
    where = "validation" if name == "validation" else "math"
    assert str(caught.value).startswith(
        f"train and {where} share 1 prompt, the first at {tmp_path}/train.jsonl:8 and {tmp_path}/again.jsonl:41: "
    )


@pytest.mark.parametrize(
    ("extra", "loss", "said"),
    [
        (Pair("new", "a", "b", margin=2.0), {}, ["the margin of 1 pair is not used: loss.margin is false"]),
        (Pair("new", "a", "b", margin=2.0), {"margin": True}, ["the margin of 100 pairs without one is taken for 0"]),
        (
            Pair("new", "a", "b", probability=0.7),
            {},
            ["bradley_terry takes the probability of 1 pair for 1; soft_label learns from it"],
        ),
        (Pair("new", "a", "b", probability=0.7), {"kind": "soft_label"}, []),
        (
            Pair("new", "a", "b", tie=True),
            {"kind": "classification"},
            ["classification cannot learn from ties (1 pair); soft_label and rao_kupper can"],
        ),
        (Pair("new", "a", "b", tie=True), {"kind": "rao_kupper"}, []),
        (
            Pair("new", "a", "b"),
            {"kind": "rao_kupper"},
            ["rao_kupper without a tie among the pairs: theta then only shifts margins"],
        ),
    ],
)
def test_columns_that_a_loss_does_not_look_at_are_said(extra: Pair, loss: dict[str, Any], said: list[str]) -> None:
    assert sets([*PAIRS, extra], loss=loss, data={"validation_share": 0.0})[1] == said


def test_lengths_are_balanced_and_copies_added_in_training_only() -> None:
    rows = [Pair(str(i), *sides) for i, sides in enumerate([("long answer", "x"), ("x", "long answer")] * 50)]
    rows += [Pair(f"more {i}", f"long answer {i}", f"y {i}") for i in range(50)]
    data = {"balance_length": "subsample", "augment": ["white_space"]}
    found, said = sets(rows, data=data)
    longer = sum(len(pair.chosen) > len(pair.rejected) for pair in found["train"])
    assert longer / len(found["train"]) == pytest.approx(0.5, abs=0.05)
    assert sum(len(sets(rows)[0][name]) for name in ("train", "validation")) == 150
    assert found["validation"] == sets(rows)[0]["validation"]
    assert "left after balancing their lengths" in said[0]
    assert said[1].startswith("perturbed copies: ")


def encoder(max_length: int | None = None) -> ResponseEncoder:
    return ResponseEncoder(tiny_tokenizer("plain"), EncodingSettings(format="plain", max_length=max_length))


def test_every_reason_to_leave_a_pair_out_is_counted() -> None:
    long = "word " * 60
    pairs = [
        Pair("What is two?", "four", "five"),
        Pair("What is two?", "four", "four"),
        Pair("What is two?", "four", long),
        Pair("What is two?", "four", "half \ud83d"),
        Pair("What is two?", "four", "five", tie=True),
        Pair(long, "four", "five"),
    ]
    found = encode_pairs("train", pairs, encoder(40), "bradley_terry")
    assert found.counts == Counts(
        pairs=6, used=2, identical=1, too_long=1, unreadable=1, ties_left_out=1, prompts_cut=1
    )
    assert found.counts.told() == (
        "4 of 6 pairs left out (identical sides: 1, a completion that does not fit: 1, text that cannot be encoded: 1, "
        "a tie: 1); the prompt of 1 used pair cut to fit"
    )


def test_sides_that_are_the_same_as_tokens_teach_nothing() -> None:
    lossy = tiny_tokenizer("plain")
    from tokenizers import normalizers

    lossy.backend_tokenizer.normalizer = normalizers.Lowercase()
    found = encode_pairs("train", [Pair("p", "Four", "four")], ResponseEncoder(lossy), "bradley_terry")
    assert (found.counts.used, found.counts.identical_when_cut) == (0, 1)


@pytest.mark.parametrize("loss", ["mean_squared", "rao_kupper", "soft_label"])
def test_losses_that_learn_from_ties_keep_them(loss: Any) -> None:
    assert encode_pairs("train", [Pair("p", "a", "b", tie=True)], encoder(), loss).counts.used == 1


def test_a_completion_of_several_pairs_is_encoded_once() -> None:
    ranking = [Pair("p", "a", "b"), Pair("p", "b", "c"), Pair("p", "a", "c")]
    found = encode_pairs("train", ranking, encoder(), "bradley_terry")
    assert found.texts == [("p", "a"), ("p", "b"), ("p", "c")]
    assert found.sides == [(0, 1), (1, 2), (0, 2)]


def test_text_and_turns_that_read_alike_are_two_prompts() -> None:
    turns = ({"role": "user", "content": "p"},)
    pairs = [Pair("p", "a", "b"), Pair(turns, "a", "b"), Pair(json.dumps([dict(turns[0])]), "a", "b")]
    assert len(encode_pairs("train", pairs, encoder(), "bradley_terry").texts) == 6


def test_more_pairs_than_a_chunk_keep_their_order() -> None:
    pairs = [Pair(f"prompt {number % 7}", f"answer {number}", f"other {number % 5}") for number in range(1200)]
    done: list[int] = []
    found = encode_pairs("train", pairs, encoder(), "bradley_terry", done.append)
    assert sum(done) == 1200
    for pair, (chosen, rejected) in zip(pairs, found.sides, strict=True):
        assert (found.texts[chosen], found.texts[rejected]) == (
            (pair.prompt, pair.chosen),
            (pair.prompt, pair.rejected),
        )
    assert found[1102].chosen.encoded().input_ids == encoder().encode("prompt 3", "answer 1102").input_ids


def test_a_batch_has_the_chosen_sides_and_then_the_rejected_ones() -> None:
    pairs = [Pair("p", "a", "bb", margin=2.0), Pair("q", "ccc", "d", weight=0.5)]
    coder = encoder()
    found = encode_pairs("train", pairs, coder, "bradley_terry")
    batch = TokenCollator(coder)([found[0], found[1]])
    texts = [("p", "a"), ("q", "ccc"), ("p", "bb"), ("q", "d")]
    for row, (prompt, completion) in enumerate(texts):
        kept = batch["input_ids"][row][batch["attention_mask"][row] == 1]
        assert kept.tolist() == coder.encode(prompt, completion).input_ids
    assert batch["targets"].tolist() == [[0, 1, 2, 1], [0, 1, 0, 0.5]]
    found.content = torch.arange(8.0).reshape(4, 2)
    assert collate_features([found[0], found[1]])["features"][:, 0].tolist() == [0, 4, 2, 6]


class CountingScorer(Scorer):
    """Counts how many texts went through the model."""

    computed = 0

    def embed(self, prompts: Any, completions: Any, **options: Any) -> NDArray[np.float32]:
        self.computed += len(prompts)
        return super().embed(prompts, completions, **options)


def counting(folder: Path, **settings: Any) -> CountingScorer:
    scorer = tiny_scorer(folder, **settings)
    return CountingScorer(scorer.model, scorer.encoder)


TEXTS = [(f"prompt {number}", "answer") for number in range(1500)]


def test_features_are_computed_once_and_kept(tmp_path: Path) -> None:
    scorer = counting(tmp_path / "base")
    done: list[int] = []
    first = embed_texts(scorer, TEXTS, tmp_path / "kept", done.append)
    assert (scorer.computed, sum(done), tuple(first.shape)) == (1500, 1500, (1500, 16))
    again = embed_texts(scorer, TEXTS, tmp_path / "kept", done.append)
    assert (scorer.computed, sum(done)) == (1500, 3000)
    assert torch.equal(first, again)
    expected = torch.from_numpy(scorer.embed(["prompt 1200"], ["answer"]))
    assert torch.allclose(first[1200], expected[0], atol=1e-5)


def test_features_that_were_cut_short_are_computed_again(tmp_path: Path) -> None:
    scorer = counting(tmp_path / "base")
    first = embed_texts(scorer, TEXTS, tmp_path / "kept")
    part = max((tmp_path / "kept").iterdir(), key=lambda file: file.stat().st_size)
    part.write_bytes(part.read_bytes()[:1000])
    assert torch.equal(embed_texts(scorer, TEXTS, tmp_path / "kept"), first)
    assert scorer.computed == 1500 + 1024


def test_features_are_found_again_in_another_order_and_company(tmp_path: Path) -> None:
    scorer = counting(tmp_path / "base")
    first = embed_texts(scorer, TEXTS[:900], tmp_path / "kept")
    mixed = [*TEXTS[1000:1010], *reversed(TEXTS[:900])]
    found = embed_texts(scorer, mixed, tmp_path / "kept")
    assert scorer.computed == 910
    assert torch.equal(found[10:], first.flip(0))
    assert torch.allclose(found[3], torch.from_numpy(scorer.embed(*zip(TEXTS[1003], strict=True)))[0], atol=1e-5)


@pytest.mark.parametrize("junk", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_a_file_that_is_none_of_ours_is_passed_over(tmp_path: Path, junk: bytes) -> None:
    scorer = counting(tmp_path / "base")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "other.npz").write_bytes(junk)
    np.savez(tmp_path / "kept" / "strange.npz", features=np.zeros((3, 16)))
    assert embed_texts(scorer, TEXTS[:5], tmp_path / "kept").shape == (5, 16)


def test_another_backbone_or_encoding_has_features_of_its_own(tmp_path: Path) -> None:
    scorers = [
        counting(tmp_path / "a"),
        counting(tmp_path / "b", encoding=EncodingSettings(max_length=64)),
        counting(tmp_path / "c", pooling="mean"),
        counting(tmp_path / "d", kind="qwen3"),
        counting(tmp_path / "f", layers=[0, 1]),
        counting(tmp_path / "g", layers=[1, 2]),
    ]
    assert len({fingerprint(scorer) for scorer in scorers}) == 6
    # The head does not enter into the features.
    assert fingerprint(counting(tmp_path / "e", seed=7)) == fingerprint(scorers[0])
