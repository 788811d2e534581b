"""The pairs of a run: read, split, and refused where nothing could be learned or measured from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rewardkit.cli.screen import count
from rewardkit.files import Layout
from rewardkit_rm.pairs.balance import balance
from rewardkit_rm.pairs.checks import check_pairs
from rewardkit_rm.pairs.pair import Pair, prompt_key
from rewardkit_rm.pairs.perturb import augment
from rewardkit_rm.pairs.reading import PairFiles, read_pairs
from rewardkit_rm.pairs.splitting import split_by_prompt
from rewardkit_rm.training.config import DataSettings, TrainConfig
from rewardkit_rm.training.errors import TrainingError
from rewardkit_rm.training.objective import targets_of, uses_ties
from rewardkit_rm.training.progress import Progress

__all__ = ["read_sets"]

# A file that `rewardkit rm data split` has made with the same seed holds no prompt whose hash belongs to validation.
_SEEDS = 2**32


def read_sets(config: TrainConfig, rows: Iterable[Any] | None, progress: Progress) -> dict[str, list[Pair]]:
    """Return the pairs by set: ``train``, ``validation`` where there is one, and every other domain.

    Args:
        config: The run.
        rows: Pairs to train on, in place of ``data.train``.
        progress: Told what goes on.

    Raises:
        BatchError: If a file cannot be read, or a row is no pair.
        TrainingError: If there is nothing to train on, nothing to validate on, or a prompt is in two sets.
    """
    data = config.data
    if rows is None and not data.train:
        raise TrainingError("no pairs to train on: give files as DATA, or name them in the config as data.train")
    sets = {"train": _read("train", data.train, data, progress) if rows is None else list(read_pairs(rows))}
    _refuse_one_sided(sets["train"])
    _warn(sets["train"], progress)
    if data.validation:
        sets["validation"] = _read("validation", data.validation, data, progress)
    elif data.validation_share:
        sets |= _split(sets["train"], data)
    for name, files in data.other_domains.items():
        sets[name] = _read(name, files, data, progress)
    _refuse_shared_prompts(sets)
    _check_columns(sets["train"], config, progress)
    return sets | {"train": _balanced(sets["train"], data, progress)}


def _read(name: str, files: Sequence[str], data: DataSettings, progress: Progress) -> list[Pair]:
    source = PairFiles(files, Layout(tuple(data.explode), data.columns))
    progress.stage(f"reading {name}", source.size)
    pairs, at = [], 0
    for pair in source:
        pairs.append(pair)
        progress.advance(source.position - at)
        at = source.position
    return pairs


def _refuse_one_sided(pairs: Sequence[Pair]) -> None:
    if not pairs:
        raise TrainingError("there are no pairs to train on")
    for side in ("chosen", "rejected"):
        if not any(getattr(pair, side).strip() for pair in pairs):
            raise TrainingError(f"the {side} side of every pair is empty: a reward model needs two sides to compare")


def _warn(pairs: Sequence[Pair], progress: Progress) -> None:
    """Say what the checks call an error: one text that wins everywhere, sides that are always the same, broken text."""
    for finding in check_pairs(pairs).of("error"):
        progress.say(f"warning: {finding.message}; see 'rewardkit rm data check'")


def _split(pairs: Sequence[Pair], data: DataSettings) -> dict[str, list[Pair]]:
    share = data.validation_share
    sets = split_by_prompt(pairs, {"train": 1 - share, "validation": share}, _SEEDS + data.split_seed)
    for name, part in sets.items():
        if not part:
            prompts = len({prompt_key(pair.prompt) for pair in pairs})
            raise TrainingError(
                f"no pair is left for {name}: {count(len(pairs), 'pair')} of {count(prompts, 'prompt')}, split with a "
                f"validation_share of {share:g}; give more prompts, validation files, or validation_share: 0"
            )
    return sets


def _refuse_shared_prompts(sets: Mapping[str, Sequence[Pair]]) -> None:
    train = {prompt_key(pair.prompt): pair for pair in sets["train"]}
    for name, pairs in sets.items():
        if name == "train":
            continue
        shared = {prompt_key(pair.prompt): pair for pair in pairs if prompt_key(pair.prompt) in train}
        if shared:
            key, other = next(iter(shared.items()))
            places = " and ".join(filter(None, (train[key].where, other.where)))
            raise TrainingError(
                f"train and {name} share {count(len(shared), 'prompt')}, the first at {places or 'unknown places'}: "
                "what was learned by heart would pass for understood; split by prompt (rewardkit rm data split)"
            )


def _check_columns(pairs: Sequence[Pair], config: TrainConfig, progress: Progress) -> None:
    """Refuse a loss that lacks its column; say which columns a loss does not look at."""
    kind, margins = config.loss.kind, sum(pair.margin is not None for pair in pairs)
    ties = sum(targets_of(pair)[0] > 0 for pair in pairs)
    soft = sum(0.5 < pair.probability < 1 for pair in pairs)
    if config.loss.margin and not margins:
        raise TrainingError("loss.margin is true, and no pair has a margin")
    if ties == len(pairs):
        raise TrainingError("every pair is a tie: there is no better side to learn")
    if config.loss.margin and margins < len(pairs):
        progress.say(f"the margin of {count(len(pairs) - margins, 'pair')} without one is taken for 0")
    if margins and not config.loss.margin:
        progress.say(f"the margin of {count(margins, 'pair')} is not used: loss.margin is false")
    if soft and kind != "soft_label":
        progress.say(f"{kind} takes the probability of {count(soft, 'pair')} for 1; soft_label learns from it")
    if kind == "rao_kupper" and not ties:
        progress.say("rao_kupper without a tie among the pairs: theta then only shifts margins")
    if ties and not uses_ties(kind):
        progress.say(f"{kind} cannot learn from ties ({count(ties, 'pair')}); soft_label and rao_kupper can")


def _balanced(pairs: list[Pair], data: DataSettings, progress: Progress) -> list[Pair]:
    if data.balance_length is not None:
        before, pairs = len(pairs), list(balance(pairs, data.balance_length, data.split_seed))
        if not pairs:
            raise TrainingError("no pair is left after balance_length: one side is the longer one in all of them")
        progress.say(f"{count(len(pairs), 'training pair')} of {before:,} left after balancing their lengths")
    if data.augment:
        before, pairs = len(pairs), list(augment(pairs, data.augment, data.split_seed))
        progress.say(f"perturbed copies: {len(pairs) - before:,} added to {count(before, 'training pair')}")
    return pairs
