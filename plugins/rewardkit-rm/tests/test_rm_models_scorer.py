"""Scores: one a row, in the caller's order, the same in every company."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_rm.models.encoding import ResponseEncoder
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.reward_model import RewardModel
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import EncodingSettings
from tiny_models import tiny_scorer, tiny_tokenizer
from torch import Tensor

KINDS = ["llama", "qwen3", "gpt2", "bert"]
PROMPTS = ["What is two plus two?", "", "The capital of France?", "Why?", "What is two plus two?"]
COMPLETIONS = ["four", "x", "Paris is the capital, and more " * 2, "", "five"]


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scorer]:
    return {kind: tiny_scorer(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


def alone(scorer: Scorer, prompts: list[str], completions: list[str]) -> list[float]:
    pairs = zip(prompts, completions, strict=True)
    return [scorer.score([prompt], [completion]).values[0] for prompt, completion in pairs]


class TestCompany:
    @pytest.mark.parametrize("batch_tokens", [1, 40, 64, 16384])
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_score_does_not_depend_on_the_batch(
        self, scorers: dict[str, Scorer], kind: str, batch_tokens: int
    ) -> None:
        scorer = scorers[kind]
        expected = alone(scorer, PROMPTS, COMPLETIONS)
        assert np.std(expected) > 0.05
        for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 2, 0, 4, 1, 3, 0, 2]):
            prompts, completions = [PROMPTS[row] for row in order], [COMPLETIONS[row] for row in order]
            values = scorer.score(prompts, completions, batch_tokens=batch_tokens).values
            np.testing.assert_allclose(values, [expected[row] for row in order], atol=1e-5)

    @settings(max_examples=25)
    @given(
        rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20), batch_tokens=st.integers(1, 400)
    )
    def test_whatever_the_rows_and_the_budget(self, rows: list[tuple[int, int]], batch_tokens: int) -> None:
        prompts, completions = [PROMPTS[a] for a, _ in rows], [COMPLETIONS[b] for _, b in rows]
        values = SHARED.score(prompts, completions, batch_tokens=batch_tokens).values
        np.testing.assert_allclose(values, alone(SHARED, prompts, completions), atol=1e-5)

    def test_rows_of_equal_tokens_get_the_very_same_score_and_are_computed_once(
        self, scorers: dict[str, Scorer]
    ) -> None:
        seen = Watched(scorers["llama"])
        values = seen.scorer.score(["a", "b"] * 50, ["x", "y"] * 50).values
        assert len(set(values)) == 2
        assert sum(rows for rows, _ in seen.shapes) == 2

    def test_batches_keep_to_the_budget_and_go_by_length(self, scorers: dict[str, Scorer]) -> None:
        seen = Watched(scorers["llama"])
        prompts = ["x" * (number * 7 % 40) for number in range(40)]
        seen.scorer.score(prompts, [""] * 40, batch_tokens=200)
        assert all(rows * length <= 200 for rows, length in seen.shapes)
        lengths = [length for _, length in seen.shapes]
        assert lengths == sorted(lengths, reverse=True)

    def test_nothing_to_score(self, scorers: dict[str, Scorer]) -> None:
        scored = scorers["llama"].score([], [])
        assert (scored.values.shape, str(scored.values.dtype), scored.problems, scored.cut) == ((0,), "float64", {}, [])
        assert scorers["llama"].embed([], []).shape == (0, 16)

    def test_prompts_and_completions_of_different_number(self, scorers: dict[str, Scorer]) -> None:
        with pytest.raises(ValueError, match="shorter"):
            scorers["llama"].score(["a", "b"], ["x"])


class Watched:
    """A scorer whose forward passes are written down."""

    def __init__(self, scorer: Scorer) -> None:
        self.shapes: list[tuple[int, int]] = []
        watched = RewardModel(scorer.model.body, scorer.model.head).eval()
        watched.register_forward_pre_hook(self._note, with_kwargs=True)
        self.scorer = Scorer(watched, scorer.encoder)

    def _note(self, module: Any, positional: Any, named: dict[str, Tensor]) -> None:
        rows, length = named["input_ids"].shape
        self.shapes.append((rows, length))


class TestProblems:
    def test_rows_that_cannot_be_scored_say_why_and_the_others_are_scored(self, scorers: dict[str, Scorer]) -> None:
        scored = scorers["llama"].score(["a", "a", "\ud83d", "x" * 300], ["x", "y" * 500, "x", "z"])
        assert np.isnan(scored.values).tolist() == [False, True, True, False]
        assert list(scored.problems) == [1, 2]
        answer = f"<|im_start|>assistant\n{'y' * 500}<|im_end|>\n"
        needed = len(scorers["llama"].encoder.tokenizer(answer).input_ids)
        assert scored.problems[1] == f"the completion alone has {needed} tokens, more than the 128 that fit"
        assert scored.problems[2] == "holds half of a surrogate pair, which is no text"
        assert scored.cut == [3]

    @pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
    def test_a_score_that_is_no_number_is_a_problem(self, tmp_path: Path, broken: float) -> None:
        scorer = tiny_scorer(tmp_path)
        with torch.no_grad():
            scorer.model.head.output.bias.fill_(broken)
        scored = scorer.score(["a", "b"], ["x", "y"])
        assert np.isnan(scored.values).all()
        assert scored.problems == dict.fromkeys([0, 1], f"the model's score is {broken}")

    def test_a_date_in_the_template_stops_everything(self) -> None:
        date = "{% if 'now' in m.content %}{{ strftime_now('%c') }}{% endif %}"
        template = f"{{% for m in messages %}}{date}{{{{ m.content }}}}{{% endfor %}}"
        scorer = Scorer(SHARED.model, ResponseEncoder(tiny_tokenizer("chat", chat_template=template + "x")))
        with pytest.raises(ModelError, match="the chat template writes today's date"):
            scorer.score(["a", "now"], ["x", "y"])


class TestMemory:
    """A batch that does not fit is halved; a device that is full is played by a model that refuses large batches."""

    class Full(RewardModel):
        room: int

        def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
            if len(input_ids) > self.room:
                raise torch.OutOfMemoryError
            return super().forward(input_ids, attention_mask, token_type_ids)

    def full(self, room: int) -> Scorer:
        model = self.Full(SHARED.model.body, SHARED.model.head)
        model.room = room
        return Scorer(model.eval(), SHARED.encoder, "my-rm")

    @pytest.mark.parametrize("room", [1, 2, 3])
    def test_a_batch_that_does_not_fit_is_halved(self, room: int) -> None:
        values = self.full(room).score(PROMPTS, COMPLETIONS).values
        np.testing.assert_allclose(values, alone(SHARED, PROMPTS, COMPLETIONS), atol=1e-5)

    def test_one_sequence_that_does_not_fit_is_an_error(self) -> None:
        with pytest.raises(ModelError, match=r"my-rm: the memory does not hold one sequence of \d+ tokens"):
            self.full(0).score(PROMPTS, COMPLETIONS)


class TestFeatures:
    @pytest.mark.parametrize("kind", ["llama", "bert"])
    @pytest.mark.parametrize(
        "changes",
        [
            {"head": {"kind": "linear"}},
            {"head": {"kind": "mlp", "hidden": 8}},
            {"pooling": "mean"},
            {"architecture": "classifier"},
        ],
        ids=["linear", "mlp", "mean", "classifier"],
    )
    def test_the_head_on_cached_features_is_the_score(self, tmp_path: Path, kind: str, changes: dict[str, Any]) -> None:
        scorer = tiny_scorer(tmp_path, kind, **changes)
        features = scorer.embed(PROMPTS, COMPLETIONS)
        assert (str(features.dtype), features.shape) == ("float32", (5, scorer.model.feature_size))
        scorer.model.head.eval()
        with torch.no_grad():
            from_features = scorer.model.head(torch.from_numpy(features)).numpy()
        np.testing.assert_allclose(from_features, scorer.score(PROMPTS, COMPLETIONS).values, atol=1e-6)

    def test_a_head_trained_on_cached_features_scores_the_same_in_the_whole_model(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path, "bert", head={"kind": "mlp", "hidden": 8, "dropout": 0.0})
        features, target = torch.from_numpy(scorer.embed(PROMPTS, COMPLETIONS)), torch.tensor([2.0, -1, 0, 1, -2])
        optimizer = torch.optim.Adam(scorer.model.head.parameters(), 0.05)
        for _ in range(300):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(scorer.model.head(features), target)
            torch.autograd.backward(loss)
            optimizer.step()
        np.testing.assert_allclose(scorer.score(PROMPTS, COMPLETIONS).values, target, atol=0.05)
        with torch.no_grad():
            np.testing.assert_allclose(
                scorer.score(PROMPTS, COMPLETIONS).values, scorer.model.head(features).numpy(), atol=1e-5
            )

    def test_rows_that_cannot_be_encoded_have_no_features(self, scorers: dict[str, Scorer]) -> None:
        features = scorers["llama"].embed(["a", "\ud83d"], ["x", "x"])
        assert np.isnan(features).all(axis=1).tolist() == [False, True]


class TestTheModelIsLeftAsItWas:
    def test_dropout_is_off_while_scoring_and_on_again_after(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path, "bert", head={"dropout": 0.9}, train="full")
        scorer.model.train()
        first, second = (scorer.score(PROMPTS, COMPLETIONS).values for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert scorer.model.training
        assert scorer.model.body.training

    def test_no_gradient_is_kept(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path, train="full")
        scorer.score(PROMPTS, COMPLETIONS)
        assert all(parameter.grad is None for parameter in scorer.model.parameters())
        scorer.model(**scorer.encoder.pad([scorer.encoder.encode("a", "b")])).sum().backward()
        assert all(parameter.grad is not None for parameter in scorer.model.parameters())


@pytest.mark.parametrize("call", ["score", "embed"])
def test_progress_counts_every_row_once(scorers: dict[str, Scorer], call: str) -> None:
    done: list[int] = []
    prompts, completions = [*PROMPTS, "\ud83d", "a", "a"], [*COMPLETIONS, "x", "y" * 500, "z"]
    getattr(scorers["llama"], call)(prompts, completions, batch_tokens=64, progress=done.append)
    assert sum(done) == len(prompts)
    assert len(done) > 2


@pytest.fixture(scope="module", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> None:
    global SHARED
    SHARED = tiny_scorer(tmp_path_factory.mktemp("shared"), encoding=EncodingSettings(max_length=100))


SHARED: Scorer
