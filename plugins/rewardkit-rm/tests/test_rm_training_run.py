"""Whole runs on tiny models: what comes out, what survives, what stops."""

from __future__ import annotations

import json
import random
import resource
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rewardkit_rm.models.loading import load
from rewardkit_rm.training.card import TrainingCard
from rewardkit_rm.training.checkpoints import Checkpoints
from rewardkit_rm.training.config import load_config
from rewardkit_rm.training.errors import TrainingError
from rewardkit_rm.training.progress import Progress
from rewardkit_rm.training.train import TrainingResult, train
from safetensors.torch import load_file
from tiny_models import save_base, save_classifier

WORDS = ["four", "five", "Paris", "blue", "river", "sky"]
WEIGHTS = ("head.safetensors", "backbone/model.safetensors")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads may add in another order from run to run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_base(tmp_path_factory.mktemp("base"), "llama", attention_dropout=0.1)


def rows(number: int, kind: str = "plus", good: str = "good", bad: str = "bad") -> list[dict[str, Any]]:
    rng = random.Random(0)
    return [
        {
            "prompt": f"What is {place} {kind} {rng.randrange(99)}?",
            "chosen": f"{good} {rng.choice(WORDS)}",
            "rejected": f"{bad} {rng.choice(WORDS)}",
        }
        for place in range(number)
    ]


def write(path: Path, content: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return str(path)


def settings(base: str, kind: str = "full", data: Any = None, loss: Any = None, **training: Any) -> dict[str, Any]:
    model: dict[str, Any] = {"base": base, "train": kind}
    if kind == "last_layers":
        model["last_layers"] = 1
    if kind == "head":
        model["head"] = {"kind": "mlp", "hidden": 16}
    usual = {"batch_size": 8, "learning_rate": 3e-3, "epochs": 1, "eval_every": 3, "patience": None}
    return {"model": model, "data": data or {}, "loss": loss or {}, "training": usual | training}


class Listener(Progress):
    """Keeps what a run says, and stops it where it is told to."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.said: list[str] = []
        self.stages: list[str] = []
        self.evaluations: list[tuple[int, str, Mapping[str, float], str]] = []
        self.lines: dict[int, Mapping[str, float]] = {}
        self.steps = 0

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self.stages.append(name)
        self.steps = done

    def advance(self, by: int = 1) -> None:
        self.steps += by
        if self.stages[-1] == "training" and self.steps == self.stop_at:
            raise KeyboardInterrupt

    def training(self, step: int, figures: Mapping[str, float]) -> None:
        self.lines[step] = dict(figures)

    def evaluated(self, step: int, name: str, figures: Mapping[str, float], note: str) -> None:
        self.evaluations.append((step, name, figures, note))

    def say(self, message: str) -> None:
        if "rewardkit rm data check" not in message:  # a handful of words makes the same texts again and again
            self.said.append(message)


def weights(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in WEIGHTS]


def trained_parameters(result: TrainingResult, base: str) -> set[str]:
    """Return the names of the weights of the backbone that are not the base's any more."""
    before = load_file(Path(base, "model.safetensors"))
    after = load_file(result.folder / "backbone" / "model.safetensors")
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("kind", "rate", "least"),
    [("head", 3e-2, 0.7), ("last_layers", 1e-2, 0.7), ("lora", 5e-3, 0.9), ("full", 5e-3, 0.9)],
)
def test_a_run_learns_saves_and_says_what_it_did(
    tmp_path: Path, base: str, kind: str, rate: float, least: float
) -> None:
    listener = Listener()
    config = settings(base, kind, epochs=6, learning_rate=rate, eval_every=20)
    result = train(config, rows(100), tmp_path / "out", progress=listener)
    card = TrainingCard.model_validate_json((tmp_path / "out" / "training_card.json").read_text())
    assert card == result.card
    assert card.accuracy["validation"] is not None
    assert card.accuracy["validation"] > least
    assert card.metrics["validation"]["loss"] < 0.6  # type: ignore[operator]
    assert card.best_step <= card.steps
    assert sorted(card.data) == ["train", "validation"]
    assert card.data["train"].counts.used + card.data["validation"].counts.used == 100
    assert card.settings == load_config(config).resolved()
    assert {"torch", "transformers", "rewardkit-rm"} <= card.versions.keys()
    changed = trained_parameters(result, base)
    assert bool(changed) == (kind != "head")
    assert all("layers.1" in name or name == "norm.weight" for name in changed) or kind != "last_layers"


@pytest.mark.parametrize("kind", ["head", "lora", "full"])
def test_the_saved_model_scores_as_the_trained_one(tmp_path: Path, base: str, kind: str) -> None:
    result = train(settings(base, kind), rows(60), tmp_path / "out")
    prompts, completions = ["What is 3 plus 4?", "Hi"], ["good four", "bad sky"]
    again = load(tmp_path / "out").score(prompts, completions).values
    np.testing.assert_allclose(result.scorer.score(prompts, completions).values, again, atol=1e-5)


def test_a_classifier_is_trained_and_saved_as_one(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "base", "llama")
    config = settings(folder, "full")
    config["model"]["architecture"] = "classifier"
    result = train(config, rows(60), tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").exists()
    again = load(tmp_path / "out").score(["Hi"], ["good"]).values
    np.testing.assert_allclose(result.scorer.score(["Hi"], ["good"]).values, again, atol=1e-5)


@pytest.mark.parametrize("kind", ["head", "full"])
def test_a_seed_decides_every_byte(tmp_path: Path, base: str, kind: str) -> None:
    for name, seed in (("one", 1), ("other", 1), ("third", 2)):
        train(settings(base, kind, seed=seed), rows(60), tmp_path / name)
    assert weights(tmp_path / "one") == weights(tmp_path / "other")
    assert weights(tmp_path / "one")[0] != weights(tmp_path / "third")[0]
    histories = [(tmp_path / name / "history.jsonl").read_text() for name in ("one", "other")]
    assert histories[0] == histories[1]


@pytest.mark.parametrize("kind", ["head", "last_layers", "lora", "full"])
def test_a_run_that_was_interrupted_ends_with_the_same_bytes(tmp_path: Path, base: str, kind: str) -> None:
    config = settings(base, kind, epochs=2, gradient_accumulation=2)
    train(config, rows(60), tmp_path / "whole")
    listener = Listener()
    for stop_at in (2, 5, 7, 9, 13):  # before the first checkpoint, between two, at the end of the epoch, behind it
        with pytest.raises(KeyboardInterrupt):
            train(config, rows(60), tmp_path / "parts", resume=True, progress=Listener(stop_at))
    train(config, rows(60), tmp_path / "parts", resume=True, progress=listener)
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    histories = [(tmp_path / name / "history.jsonl").read_text() for name in ("parts", "whole")]
    assert histories[0] == histories[1]
    cards = [json.loads((tmp_path / name / "training_card.json").read_text()) for name in ("parts", "whole")]
    assert [card.pop("seconds") > 0 for card in cards] == [True, True]
    assert cards[0] == cards[1]
    assert listener.said[0].startswith("going on with the checkpoint of step 12")


def test_a_checkpoint_that_was_cut_short_is_passed_over(tmp_path: Path, base: str) -> None:
    config = settings(base)
    train(config, rows(60), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(config, rows(60), tmp_path / "parts", progress=Listener(stop_at=5))
    checkpoints = Checkpoints(tmp_path / "parts" / "checkpoints")
    shutil.copytree(checkpoints.path(3), checkpoints.path(5))
    optimizer = checkpoints.path(5) / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:100])
    listener = Listener()
    train(config, rows(60), tmp_path / "parts", resume=True, progress=listener)
    assert listener.said[0].startswith("the checkpoint of step 5 is not used: optimizer.pt has 100 bytes instead of")
    assert listener.said[1] == "going on with the checkpoint of step 3"
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path, base: str) -> None:
    train(settings(base), rows(60), tmp_path / "out")
    before = weights(tmp_path / "out"), (tmp_path / "out" / "training_card.json").read_text()
    train(settings(base), rows(60), tmp_path / "out", resume=True)
    assert (weights(tmp_path / "out"), (tmp_path / "out" / "training_card.json").read_text()) == before


def test_a_resumed_run_does_not_embed_again(tmp_path: Path, base: str) -> None:
    config = settings(base, "head")
    with pytest.raises(KeyboardInterrupt):
        train(config, rows(60), tmp_path / "out", progress=Listener(stop_at=4))
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "embeddings").iterdir()}
    train(config, rows(60), tmp_path / "out", resume=True)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "embeddings").iterdir()} == files


def test_training_stops_when_nothing_gets_better_and_keeps_the_best(tmp_path: Path, base: str) -> None:
    listener = Listener()
    # The share of validation pairs with the other label grows worse the more is learned.
    data = {"validation": write(tmp_path / "dev.jsonl", rows(40, "minus", good="bad", bad="good"))}
    config = settings(base, data=data, epochs=20, patience=2, learning_rate=1e-2)
    result = train(config, rows(60), tmp_path / "out", progress=listener)
    notes = [note for _, name, _, note in listener.evaluations if name == "validation"]
    assert notes[-1] == "no better 2 times: stops here"
    assert result.card.ended == "patience"
    assert result.card.steps == result.card.best_step + 6  # two evaluations of three steps
    accuracies = {step: found["accuracy"] for step, name, found, _ in listener.evaluations if name == "validation"}
    assert result.card.accuracy["validation"] == max(accuracies.values()) == accuracies[result.card.best_step]
    best = load_file(Checkpoints(tmp_path / "out" / "checkpoints").path(result.card.best_step) / "model.safetensors")
    head = load_file(tmp_path / "out" / "head.safetensors")
    assert all(torch.equal(best[f"head.{name}"], weight) for name, weight in head.items())
    before = weights(tmp_path / "out")
    train(config, rows(60), tmp_path / "out", resume=True)
    assert weights(tmp_path / "out") == before


def test_accuracy_is_over_pairs_and_not_over_batches(tmp_path: Path, base: str) -> None:
    data = {"validation": write(tmp_path / "dev.jsonl", rows(11, "minus"))}  # batches of 8 and 3
    listener = Listener()
    result = train(settings(base, data=data, epochs=0.5), rows(60), tmp_path / "out", progress=listener)
    pairs = rows(11, "minus")
    scores = [
        result.scorer.score([row["prompt"] for row in pairs], [row[side] for row in pairs]).values
        for side in ("chosen", "rejected")
    ]
    found = {step: found for step, name, found, _ in listener.evaluations}[result.card.best_step]
    assert found["accuracy"] == float((scores[0] > scores[1]).mean())
    assert found["margin"] == pytest.approx(float((scores[0] - scores[1]).mean()), abs=1e-4)
    loss = float(np.logaddexp(0, scores[1] - scores[0]).mean() + 0.01 * np.square(scores[0] + scores[1]).mean())
    assert found["loss"] == pytest.approx(loss, abs=1e-4)
    assert found["pairs"] == 11


def test_other_domains_are_measured_and_a_fall_is_told(tmp_path: Path, base: str) -> None:
    data = {
        "validation": write(tmp_path / "dev.jsonl", rows(60, "minus")),
        "other_domains": {"reversed": write(tmp_path / "other.jsonl", rows(60, "times", good="bad", bad="good"))},
    }
    listener = Listener()
    result = train(
        settings(base, data=data, epochs=3, learning_rate=1e-2), rows(60), tmp_path / "out", progress=listener
    )
    assert {name for _, name, _, _ in listener.evaluations} == {"validation", "reversed"}
    assert result.card.accuracy["reversed"] < 0.5  # type: ignore[operator]
    assert [warning for warning in result.card.warnings if warning.startswith("does not carry over to reversed")]


def test_learning_by_heart_is_told(tmp_path: Path, base: str) -> None:
    rng = random.Random(1)
    train_rows, dev = (
        [
            {"prompt": f"{kind} {place}", "chosen": str(rng.randrange(10**6)), "rejected": str(rng.randrange(10**6))}
            for place in range(60)
        ]
        for kind in ("train", "dev")
    )
    data = {"validation": write(tmp_path / "dev.jsonl", dev)}
    config = settings(base, data=data, epochs=40, learning_rate=1e-2, eval_every=150)
    result = train(config, train_rows, tmp_path / "out")
    assert [warning for warning in result.card.warnings if warning.startswith("over-fitting: accuracy ")]


def test_a_loss_that_stays_at_ln_two_is_told_while_training(tmp_path: Path, base: str) -> None:
    content = rows(1500)
    for row in content[::2]:
        row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    listener = Listener()
    config = settings(base, "head", epochs=2, eval_every=40, learning_rate=1e-4, batch_size=64)
    config["model"]["head"] = {"kind": "linear", "dropout": 0.0}
    result = train(config, content, tmp_path / "out", progress=listener)
    told = [message for message in listener.said if message.startswith("warning: nothing is learned")]
    assert len(told) == 1
    assert "the labels contradict each other" in told[0]
    assert [warning for warning in result.card.warnings if warning.startswith("nothing is learned: over 1,")]


def test_log_lines_hold_loss_accuracy_and_margin(tmp_path: Path, base: str) -> None:
    listener = Listener()
    train(settings(base, eval_every=15, epochs=4), rows(60), tmp_path / "out", progress=listener)
    assert sorted(listener.lines) == [10, 15, 25, 28]
    lines = [json.loads(line) for line in (tmp_path / "out" / "history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [10, 15, 25, 28]
    assert [line["step"] for line in lines if "eval_validation_accuracy" in line] == [15, 28]
    assert all({"accuracy", "margin", "learning_rate", "grad_norm"} <= line.keys() for line in lines if "loss" in line)


def test_parts_of_a_step_add_up_to_the_step(tmp_path: Path) -> None:
    still = save_base(tmp_path / "base", "llama")
    content = rows(48)
    for name, parts in (("one", 1), ("four", 4)):
        config = settings(still, gradient_accumulation=parts, epochs=1, data={"validation_share": 0.0})
        config["model"]["head"] = {"dropout": 0.0}
        train(config, content, tmp_path / name)
    heads = [load_file(tmp_path / name / "head.safetensors") for name in ("one", "four")]
    for name, weight in heads[0].items():
        torch.testing.assert_close(weight, heads[1][name], atol=1e-5, rtol=1e-4)


def test_activations_computed_twice_give_the_same_weights(tmp_path: Path) -> None:
    still = save_base(tmp_path / "base", "llama")
    for name, twice in (("once", False), ("twice", True)):
        train(settings(still, "lora", gradient_checkpointing=twice, seed=3), rows(40), tmp_path / name)
    heads = [load_file(tmp_path / name / "head.safetensors") for name in ("once", "twice")]
    for name, weight in heads[0].items():
        torch.testing.assert_close(weight, heads[1][name], atol=1e-4, rtol=1e-3)


def test_bfloat16_trains_on_a_cpu(tmp_path: Path, base: str) -> None:
    result = train(settings(base, bf16=True), rows(60), tmp_path / "out")
    assert result.card.metrics["validation"]["loss"] < 1.0  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["classification", "mean_squared", "rao_kupper", "soft_label"])
def test_every_loss_learns_with_ties_where_it_can(tmp_path: Path, base: str, kind: str) -> None:
    content: list[dict[str, Any]] = rows(100)
    for row in content[::10]:
        row |= {"chosen": "good sky", "rejected": "good Paris", "tie": True}
    listener = Listener()
    config = settings(base, "head", loss={"kind": kind}, epochs=20, learning_rate=1e-2, eval_every=30)
    result = train(config, content, tmp_path / "out", progress=listener)
    assert result.card.accuracy["validation"] > 0.7  # type: ignore[operator]
    left_out = sum(found.counts.ties_left_out for found in result.card.data.values())
    assert left_out == (10 if kind == "classification" else 0)


def test_without_validation_the_last_weights_are_kept(tmp_path: Path, base: str) -> None:
    result = train(settings(base, data={"validation_share": 0.0}), rows(60), tmp_path / "out")
    assert result.card.best_step == result.card.steps == 8
    assert list(result.card.accuracy) == ["train"]
    last = load_file(Checkpoints(tmp_path / "out" / "checkpoints").path(8) / "model.safetensors")
    head = load_file(tmp_path / "out" / "head.safetensors")
    assert all(torch.equal(last[f"head.{name}"], weight) for name, weight in head.items())


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path, base: str) -> None:
    content = [row | {"margin": 0.1} for row in rows(60)]
    content[30]["margin"] = 1e39  # infinite in float32
    config = settings(base, eval_every=1, loss={"margin": True}, data={"validation_share": 0.0}, seed=0)
    with pytest.raises(TrainingError) as caught:
        train(config, content, tmp_path / "out")
    step = int(str(caught.value).split(" at step ")[1].split(";")[0])
    assert str(caught.value).startswith("the loss is inf and the norm of its gradient ")
    assert f"training stops, the checkpoint of step {step - 1} is kept" in str(caught.value)
    assert Checkpoints(tmp_path / "out" / "checkpoints").latest() == (step - 1, {})
    kept = load_file(Checkpoints(tmp_path / "out" / "checkpoints").path(step - 1) / "model.safetensors")
    assert all(torch.isfinite(weight).all() for weight in kept.values())


def test_weights_that_a_step_has_spoilt_are_not_saved(tmp_path: Path, base: str) -> None:
    with pytest.raises(
        TrainingError, match=r"^the loss of the pairs of validation is (nan|inf) at step 1; .*no checkpoint"
    ):
        train(settings(base, eval_every=1, learning_rate=1e38, warmup=0.0), rows(60), tmp_path / "out")
    assert Checkpoints(tmp_path / "out" / "checkpoints").steps() == []


def test_a_full_disk_stops_and_keeps_the_checkpoint_before(tmp_path: Path, base: str) -> None:
    class Filling(Listener):
        def training(self, step: int, figures: Mapping[str, float]) -> None:
            if step == 6:  # a checkpoint has 40 kB of weights, the history 2 kB
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    config = settings(base)
    try:
        with pytest.raises(TrainingError) as caught:
            train(config, rows(60), tmp_path / "out", progress=Filling())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value).startswith("the checkpoint of step 6 cannot be saved: ")
    assert str(caught.value).endswith("; that of step 3 is kept")
    assert "File too large" in str(caught.value)
    assert Checkpoints(tmp_path / "out" / "checkpoints").latest()[0] == 3
    train(config, rows(60), tmp_path / "out", resume=True)
    train(config, rows(60), tmp_path / "whole")
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")


def test_a_disk_that_is_full_at_the_end_is_said(tmp_path: Path, base: str) -> None:
    class Filling(Listener):
        def evaluated(self, step: int, name: str, figures: Mapping[str, float], note: str) -> None:
            # The checkpoint of the head has 2 kB; the backbone that is saved at the end 40 kB.
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    config = settings(base, "head", eval_every=8)
    try:
        with pytest.raises(Exception, match="the model cannot be saved: .*File too large"):
            train(config, rows(60), tmp_path / "out", progress=Filling())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "out" / "training_card.json").exists()
    train(config, rows(60), tmp_path / "out", resume=True)
    assert (tmp_path / "out" / "training_card.json").exists()


def test_a_set_of_which_no_pair_can_be_used_is_refused(tmp_path: Path, base: str) -> None:
    dev = write(tmp_path / "dev.jsonl", [{"prompt": "p", "chosen": "word " * 400, "rejected": "x"}])
    with pytest.raises(TrainingError, match="no pair of validation can be used: 1 of 1 pair left out"):
        train(settings(base, data={"validation": dev}), rows(60), tmp_path / "out")


def test_pairs_that_are_left_out_or_cut_are_said_and_on_the_card(tmp_path: Path, base: str) -> None:
    content = [*rows(60), {"prompt": "word " * 300, "chosen": "a", "rejected": "b"}]
    content += [{"prompt": "same", "chosen": "a", "rejected": "a"}]
    listener = Listener()
    config = settings(base, data={"validation_share": 0.0})
    result = train(config, content, tmp_path / "out", progress=listener)
    assert listener.said == ["train: 1 of 62 pairs left out (identical sides: 1); the prompt of 1 used pair cut to fit"]
    counts = result.card.data["train"].counts
    assert (counts.used, counts.identical, counts.prompts_cut) == (61, 1, 1)


def test_a_batch_that_cannot_be_divided_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(TrainingError, match=r"training\.batch_size 8 must be a multiple of 3, the number of devices"):
        train(settings(base, gradient_accumulation=3), rows(60), tmp_path / "out")


def test_a_tracker_that_is_not_there_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(TrainingError, match="training cannot start: no_such_tracker is not supported"):
        train(settings(base, report_to=["no_such_tracker"]), rows(60), tmp_path / "out")


def test_files_may_be_given_in_place_of_rows(tmp_path: Path, base: str) -> None:
    path = write(tmp_path / "pairs.jsonl", rows(60))
    one = train(settings(base, "head"), path, tmp_path / "one")
    other = train(settings(base, "head"), [Path(path)], tmp_path / "other")
    assert one.card.data["train"].files == [path]
    assert weights(tmp_path / "one") == weights(tmp_path / "other")
    assert other.card.data["train"].hash == one.card.data["train"].hash


def test_other_pairs_do_not_go_on_with_a_run(tmp_path: Path, base: str) -> None:
    train(settings(base, "head"), rows(60), tmp_path / "out")
    with pytest.raises(TrainingError, match="these differ: the pairs of train"):
        train(settings(base, "head"), rows(70), tmp_path / "out", resume=True)
    with pytest.raises(TrainingError, match=r"these differ: training\.seed \(0 then, 5 now\)"):
        train(settings(base, "head", seed=5), rows(60), tmp_path / "out", resume=True)
    train(settings(base, "head"), rows(70), tmp_path / "out", overwrite=True)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, base: str) -> None:
    train(settings(base), rows(60), tmp_path / "out")
    checkpoints = Checkpoints(tmp_path / "out" / "checkpoints")
    step = checkpoints.latest()[0]
    assert step is not None
    other = save_base(tmp_path / "wider", "llama", hidden_size=32)
    run = tmp_path / "out" / "run.json"
    run.write_text(run.read_text().replace(base, other))
    with pytest.raises(TrainingError, match="does not belong to this model: they differ in "):
        train(settings(other), rows(60), tmp_path / "out", resume=True)


def test_too_little_memory_is_said_with_what_needs_less(tmp_path: Path, base: str) -> None:
    class Small(Listener):
        def training(self, step: int, figures: Mapping[str, float]) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.\nmore")

    with pytest.raises(TrainingError, match="out of memory: CUDA out of memory. Tried to .* More gradient"):
        train(settings(base), rows(60), tmp_path / "out", progress=Small())
