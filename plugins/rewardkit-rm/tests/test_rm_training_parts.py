"""The parts of a training run that need no model: objective, figures, warnings, patience, checkpoints, output."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rewardkit_rm import losses
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.training.checkpoints import Checkpoints, read_json, write_atomically
from rewardkit_rm.training.config import LossKind, load_config
from rewardkit_rm.training.diagnosis import overfitting, stuck
from rewardkit_rm.training.errors import TrainingError
from rewardkit_rm.training.objective import Figures, Objective, Tally, targets_of, uses_ties
from rewardkit_rm.training.output import Output
from rewardkit_rm.training.state import RunState
from torch import Tensor

from rewardkit.errors import RewardKitError

CHOSEN, REJECTED = torch.tensor([2.0, 0.5, 1.0, 3.0]), torch.tensor([0.5, 2.0, 1.0, -1.0])
# tie, probability, margin, weight
TARGETS = torch.tensor([[0, 1, 0.5, 1], [0, 0.8, 0, 2], [1, 0.5, 0, 1], [0, 1, -1, 0]])
USUAL = Figures(pairs=1000, decided=1000, accuracy=0.8, tied=0.0, margin=1.0, loss=0.5, gain=0.2, level=0.0)


def objective(kind: Any, centering: float = 0.0, margin: bool = False, theta: float = 1.5) -> Objective:
    return Objective(kind, centering, margin, theta)


def expected(kind: str) -> Tensor:
    tie, probability = TARGETS[:, 0] > 0, TARGETS[:, 1]
    return {
        "bradley_terry": losses.bradley_terry(CHOSEN, REJECTED),
        "classification": losses.classification(CHOSEN, REJECTED),
        "mean_squared": losses.mean_squared(CHOSEN, REJECTED, tie),
        "soft_label": losses.soft_label(CHOSEN, REJECTED, probability),
        "rao_kupper": losses.rao_kupper(CHOSEN, REJECTED, tie, 1.5),
    }[kind]


@pytest.mark.parametrize("kind", ["bradley_terry", "classification", "mean_squared", "rao_kupper", "soft_label"])
def test_an_objective_is_its_loss_times_the_weights(kind: str) -> None:
    got = objective(kind).losses(CHOSEN, REJECTED, TARGETS)
    assert torch.equal(got, expected(kind) * torch.tensor([1.0, 2.0, 1.0, 0.0]))


def test_the_centring_term_is_added_with_its_coefficient() -> None:
    got = objective("bradley_terry", centering=0.01).losses(CHOSEN, REJECTED, TARGETS)
    assert float(got[0]) == pytest.approx(0.201413 + 0.01 * 6.25, abs=1e-6)


def test_margins_count_only_where_they_are_asked_for() -> None:
    got = objective("bradley_terry", margin=True).bare(CHOSEN, REJECTED, TARGETS)
    assert torch.equal(got, losses.bradley_terry(CHOSEN, REJECTED, TARGETS[:, 2]))


def test_an_objective_is_what_the_config_says() -> None:
    config = load_config({"model": {"base": "b"}, "loss": {"kind": "rao_kupper", "theta": 3.0, "centering": 0.5}})
    assert Objective.of(config) == Objective("rao_kupper", 0.5, False, 3.0)


@pytest.mark.parametrize(
    ("pair", "targets"),
    [
        (Pair("p", "a", "b"), (0.0, 1.0, 0.0, 1.0)),
        (Pair("p", "a", "b", margin=2.0, weight=0.5), (0.0, 1.0, 2.0, 0.5)),
        (Pair("p", "a", "b", tie=True), (1.0, 0.5, 0.0, 1.0)),
        (Pair("p", "a", "b", tie=True, probability=0.6), (1.0, 0.6, 0.0, 1.0)),
        (Pair("p", "a", "b", probability=0.5), (1.0, 0.5, 0.0, 1.0)),
        (Pair("p", "a", "b", probability=0.7), (0.0, 0.7, 0.0, 1.0)),
    ],
)
def test_a_pair_tells_the_loss_what_it_needs(pair: Pair, targets: tuple[float, ...]) -> None:
    assert targets_of(pair) == targets


def test_only_three_losses_learn_from_ties() -> None:
    kinds: list[LossKind] = ["bradley_terry", "classification", "mean_squared", "rao_kupper", "soft_label"]
    assert [kind for kind in kinds if uses_ties(kind)] == ["mean_squared", "rao_kupper", "soft_label"]


def test_figures_are_over_pairs_with_ties_apart() -> None:
    tally = Tally()
    tally.add(objective("bradley_terry"), CHOSEN[:3], REJECTED[:3], TARGETS[:3])
    tally.add(objective("bradley_terry"), CHOSEN[3:], REJECTED[3:], TARGETS[3:])
    figures = tally.figures()
    assert (figures.pairs, figures.decided) == (4, 3)
    assert figures.accuracy == pytest.approx(2 / 3)  # 2.0 > 0.5 and 3.0 > -1.0, of three decided pairs
    assert figures.tied == 0.25  # 1.0 against 1.0
    assert figures.margin == pytest.approx((1.5 - 1.5 + 4) / 3)
    assert figures.level == pytest.approx((1.25 + 1.25 + 1 + 1) / 4)
    # weights 1, 2, 1, 0 on the losses 0.201413, 1.701413, ln 2, and one that does not count
    assert figures.loss == pytest.approx((0.201413 + 2 * 1.701413 + math.log(2)) / 4, abs=1e-6)
    # ln 2 less the bare loss: 0.491734, -1.008266, 0, 0.693147 - 0.018150
    assert figures.gain == pytest.approx((0.491734 - 1.008266 + 0.674997) / 4, abs=1e-6)


def test_equal_scores_are_no_right_answer() -> None:
    tally = Tally()
    tally.add(objective("bradley_terry"), torch.zeros(3), torch.zeros(3), torch.tensor([[0.0, 1, 0, 1]] * 3))
    figures = tally.figures()
    assert (figures.accuracy, figures.tied, figures.gain) == (0.0, 1.0, 0.0)


def test_figures_of_nothing_are_nan_and_not_zero() -> None:
    figures = Tally().figures()
    assert figures.pairs == 0
    assert math.isnan(figures.accuracy)
    assert math.isnan(figures.loss)
    assert figures.accuracy_error == math.inf


def test_gain_is_what_a_loss_is_below_that_of_equal_scores_whatever_the_loss() -> None:
    targets = torch.tensor([[0.0, 1, 0, 1]])
    for kind in ("bradley_terry", "classification", "mean_squared", "rao_kupper", "soft_label"):
        tally = Tally()
        tally.add(objective(kind), torch.tensor([0.7]), torch.tensor([0.7]), targets)
        assert tally.figures().gain == 0.0
        tally.add(objective(kind), torch.tensor([0.9]), torch.tensor([0.1]), targets)
        assert tally.figures().gain > 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        # 2 standard errors of 1000 pairs are 3.2 points
        (
            {"accuracy": 0.52, "gain": 0.001, "loss": 0.692},
            "nothing is learned: over 1,000 pairs the loss is 0.692",
        ),
        ({"accuracy": 0.48, "gain": -0.1, "loss": 0.8}, "or the labels contradict each other"),
        ({"accuracy": 0.55, "gain": 0.001, "loss": 0.692}, ""),
        ({"accuracy": 0.5, "gain": 0.02}, ""),
        ({"accuracy": 0.0, "tied": 1.0, "gain": 0.0}, "100% of the pairs score exactly the same on both sides"),
        ({"accuracy": math.nan, "decided": 0, "gain": 0.0}, ""),
    ],
)
def test_a_loss_that_does_not_move_is_told_with_the_likely_causes(change: dict[str, Any], message: str) -> None:
    told = stuck(replace(USUAL, **change))
    assert message in told
    assert bool(told) == bool(message)


@pytest.mark.parametrize(
    ("train", "validation", "other", "told"),
    [
        (0.80, 0.78, 0.75, []),
        (0.95, 0.80, 0.75, ["over-fitting: accuracy 95.0% in training and 80.0% in validation"]),
        (0.80, 0.78, 0.55, ["does not carry over to math: accuracy 78.0% in validation and 55.0% there"]),
        (0.95, 0.78, 0.55, ["over-fitting", "does not carry over"]),
    ],
)
def test_a_fall_from_one_set_to_the_next_is_told(
    train: float, validation: float, other: float, told: list[str]
) -> None:
    accuracies = {"train": train, "validation": validation, "math": other}
    found = list(overfitting({name: replace(USUAL, accuracy=value) for name, value in accuracies.items()}))
    assert len(found) == len(told)
    assert all(expected in message for expected, message in zip(told, found, strict=True))


def test_a_fall_that_a_few_pairs_may_show_by_chance_is_not_told() -> None:
    few = replace(USUAL, decided=20)
    assert not list(overfitting({"train": USUAL, "validation": replace(few, accuracy=0.65)}))


def test_patience_counts_evaluations_since_the_best_one() -> None:
    state = RunState()
    notes = []
    for step, (accuracy, loss) in enumerate([(0.6, 0.66), (0.7, 0.6), (0.7, 0.61), (0.69, 0.5), (0.7, 0.6)]):
        notes.append(state.evaluated(step, {"validation": replace(USUAL, accuracy=accuracy, loss=loss)}, patience=3))
    assert notes == [
        "best so far",
        "best so far",
        "no better 1 times",
        "no better 2 times",
        "no better 3 times: stops here",
    ]
    assert (state.best_step, state.flat, state.stopped) == (1, 3, True)


def test_of_equal_accuracies_the_lower_loss_is_better() -> None:
    state = RunState()
    state.evaluated(1, {"validation": replace(USUAL, loss=0.6)}, patience=1)
    assert state.evaluated(2, {"validation": replace(USUAL, loss=0.5)}, patience=1) == "best so far"


def test_without_patience_or_validation_nothing_stops() -> None:
    state = RunState()
    for step in range(20):
        state.evaluated(step, {"validation": USUAL}, patience=None)
    assert not state.stopped
    assert RunState().evaluated(1, {"train": USUAL}, patience=1) == ""


def test_the_state_of_a_run_survives_as_json_with_figures_of_nothing() -> None:
    state = RunState(best_step=3, best={"validation": Tally().figures()}, settled=[0.1, 1 / 3])
    again = RunState.model_validate_json(state.model_dump_json())
    assert again.settled == state.settled
    assert math.isnan(again.best["validation"].accuracy)


def checkpoint(checkpoints: Checkpoints, step: int, complete: bool = True) -> Path:
    folder = checkpoints.path(step)
    (folder / "inner").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "inner" / "optimizer.pt").write_bytes(b"moments")
    if complete:
        checkpoints.complete(step)
    return folder


def test_a_checkpoint_counts_from_its_marker_on(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest() == (None, {})
    checkpoint(checkpoints, 9)
    checkpoint(checkpoints, 10, complete=False)
    assert checkpoints.steps() == [9, 10]
    assert checkpoints.latest() == (9, {10: "it was not finished"})


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"wei"),
            "model.safetensors has 3 bytes instead of 7",
        ),
        (lambda folder: (folder / "inner" / "optimizer.pt").unlink(), "inner/optimizer.pt is missing"),
        (lambda folder: (folder / "complete.json").write_text('{"step": 2, "fi'), "it was not finished"),
        (lambda folder: (folder / "complete.json").write_text("[]"), "it was not finished"),
    ],
)
def test_a_checkpoint_that_was_cut_short_is_skipped_with_a_word(tmp_path: Path, damage: Any, problem: str) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoint(checkpoints, 1)
    damage(checkpoint(checkpoints, 2))
    assert checkpoints.latest() == (1, {2: problem})


def test_other_folders_are_no_checkpoints(tmp_path: Path) -> None:
    for name in ("checkpoint-", "checkpoint-x", "checkpoint-1-old", "other"):
        (tmp_path / name).mkdir()
    assert Checkpoints(tmp_path).steps() == []


def test_the_best_and_the_last_checkpoint_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2, 3, 4):
        checkpoint(checkpoints, step)
    checkpoints.keep(4, 2)
    assert checkpoints.steps() == [2, 4]
    checkpoints.keep(4, None)
    assert checkpoints.steps() == [4]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    write_atomically(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half \ud83d")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["card.json"]


@pytest.mark.parametrize(("content", "reason"), [("{", "Expecting"), ("[]", "expected a mapping")])
def test_a_broken_file_of_a_run_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RewardKitError, match=f"run.json cannot be read: .*{reason}"):
        read_json(tmp_path / "run.json")


SETTINGS = load_config({"model": {"base": "b"}}, ["/a.jsonl"]).resolved()


def claimed(folder: Path) -> Output:
    output = Output(folder)
    output.refuse_taken(resume=False, overwrite=False)
    output.claim(SETTINGS, {"train": "1"}, overwrite=False)
    return output


def test_an_output_is_a_new_or_empty_folder(tmp_path: Path) -> None:
    assert (claimed(tmp_path / "deep" / "new").folder / "run.json").exists()
    (tmp_path / "empty").mkdir()
    claimed(tmp_path / "empty")


def test_what_a_kill_leaves_of_a_first_file_does_not_take_a_folder(tmp_path: Path) -> None:
    (tmp_path / "run.json.123.partial").write_text("{")
    claimed(tmp_path)
    assert os.listdir(tmp_path) == ["run.json"]


def test_a_folder_with_a_run_needs_resume_or_overwrite(tmp_path: Path) -> None:
    output = claimed(tmp_path)
    with pytest.raises(TrainingError, match="holds a run: --resume goes on with it, --overwrite starts anew"):
        output.refuse_taken(resume=False, overwrite=False)
    with pytest.raises(TrainingError, match="choose one"):
        output.refuse_taken(resume=True, overwrite=True)
    output.refuse_taken(resume=True, overwrite=False)


@pytest.mark.parametrize("option", ["none", "resume", "overwrite"])
def test_a_folder_of_somebody_else_is_never_touched(tmp_path: Path, option: str) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(TrainingError, match="holds files that are not of a training run; choose another folder"):
        Output(tmp_path).refuse_taken(resume=option == "resume", overwrite=option == "overwrite")


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="is a file; the output is a folder"):
        Output(tmp_path / "file").refuse_taken(resume=False, overwrite=True)


def test_overwriting_leaves_nothing_but_embeddings_of_the_run_before(tmp_path: Path) -> None:
    output = claimed(tmp_path)
    for name in ("calibration.json", "embeddings/a.npy", "checkpoints/checkpoint-1/complete.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    output.claim(SETTINGS, {"train": "2"}, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["embeddings", "run.json"]
    assert json.loads((tmp_path / "run.json").read_text())["data"] == {"train": "2"}


def test_resuming_with_other_settings_or_pairs_names_what_differs(tmp_path: Path) -> None:
    output = claimed(tmp_path)
    changed = {"loss": {"kind": "soft_label"}, "training": {"seed": 1}, "model": {"base": "b"}}
    with pytest.raises(TrainingError) as caught:
        output.claim(load_config(changed).resolved(), {"train": "1", "validation": "3"}, overwrite=False)
    assert str(caught.value).endswith(
        "these differ: loss.kind (bradley_terry then, soft_label now), training.seed (0 then, 1 now), "
        "the pairs of validation"
    )


def test_resuming_may_name_the_same_pairs_otherwise_and_watch_with_other_trackers(tmp_path: Path) -> None:
    output = claimed(tmp_path)
    changed = {"model": {"base": "b"}, "training": {"report_to": "tensorboard"}}
    output.claim(load_config(changed, ["/moved.jsonl"]).resolved(), {"train": "1"}, overwrite=False)
