"""One row of a file as preference pairs, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from rewardkit.errors import BatchError, shown
from rewardkit.messages import Message, completion_text, is_messages, prompt_text, read_messages
from rewardkit_rm.pairs.pair import Pair, Prompt
from rewardkit_rm.pairs.rankings import Weighting, ranking_pairs, ranks_of_scores

__all__ = ["pair_row", "pairs_of_row", "read_prompt", "turned"]

_FORMS = "chosen and rejected, response_a and response_b with a preference, or responses"
_HH_ROLES = {"Human": "user", "Assistant": "assistant"}
_HH_TURN = re.compile(r"\n\n(Human|Assistant):")


def pairs_of_row(row: Mapping[str, Any], where: str = "row", weighting: Weighting = "ranking") -> list[Pair]:
    r"""Return the pairs of one row: one, or those of a ranking.

    A row has one of these forms; where it has the columns of several, the first one counts:

    - ``chosen`` and ``rejected``: texts, or chat messages whose last turn is the assistant's. Without ``prompt``,
      they are whole conversations that differ in their last turn only, as messages or in the text format of
      hh-rlhf (``\n\nHuman: …\n\nAssistant: …``).
    - ``response_a`` and ``response_b``, with ``preference`` (or ``label``) ``"A"``, ``"B"`` or ``"tie"``, or with
      ``probability`` that A is better.
    - ``responses``, the best first, or in any order with ``ranks`` (1 is the best) or ``scores`` (the greatest is
      the best).

    Also read: ``prompt`` (text or messages), ``tie`` (or ``preference`` or ``label`` ``"tie"``), ``probability``,
    ``margin``, ``weight``, ``domain``, ``annotator``, ``id``; null counts as absent. Other columns are ignored. A
    pair whose probability is below 0.5 is turned round, and its margin changes its sign with it: ``chosen`` is
    always the more probable side.

    Args:
        row: The columns.
        where: File and line, for messages.
        weighting: How pairs of a ranking are weighted, see `ranking_pairs`.

    Raises:
        BatchError: If the row has none of these forms, or a column that cannot be read; names column and place.

    Example:
        >>> pairs_of_row({"prompt": "2+2?", "response_a": "5", "response_b": "4", "preference": "B"})[0].chosen
        '4'
    """
    if _has(row, "chosen") or _has(row, "rejected"):
        return [_chosen_rejected(row, where)]
    if _has(row, "response_a") or _has(row, "response_b"):
        return [_two_responses(row, where)]
    if _has(row, "responses"):
        return _ranking(row, where, weighting)
    raise BatchError(f"{where}: no pair: expected {_FORMS}; found {', '.join(map(str, row)) or 'nothing'}")


def pair_row(pair: Pair) -> dict[str, Any]:
    """Return a pair as a row of a file; what is as usual is left out.

    >>> pair_row(Pair("2+2?", "4", "5", domain="math"))
    {'prompt': '2+2?', 'chosen': '4', 'rejected': '5', 'domain': 'math'}
    """
    prompt = pair.prompt if isinstance(pair.prompt, str) else [dict(turn) for turn in pair.prompt]
    row: dict[str, Any] = {"id": pair.id} if pair.id else {}
    row |= {"prompt": prompt, "chosen": pair.chosen, "rejected": pair.rejected}
    usual: dict[str, Any] = {"probability": 0.5 if pair.tie else 1.0, "tie": False, "margin": None, "weight": 1.0}
    usual |= {"domain": "", "annotator": ""}
    return row | {name: getattr(pair, name) for name, value in usual.items() if getattr(pair, name) != value}


def _has(row: Mapping[str, Any], name: str) -> bool:
    return row.get(name) is not None


def _chosen_rejected(row: Mapping[str, Any], where: str) -> Pair:
    for name in ("chosen", "rejected"):
        if not _has(row, name):
            raise BatchError(f"{where}: {name} is missing: a pair needs both chosen and rejected")
    prompt, chosen, rejected = _sides(row, "chosen", "rejected", where)
    tie = _tie(row, where)
    return _pair(row, prompt, chosen, rejected, tie, where)


def _two_responses(row: Mapping[str, Any], where: str) -> Pair:
    for name in ("response_a", "response_b"):
        if not _has(row, name):
            raise BatchError(f"{where}: {name} is missing: two responses need both response_a and response_b")
    prompt, first, second = _sides(row, "response_a", "response_b", where)
    verdict = row.get("preference") if _has(row, "preference") else row.get("label")
    known = verdict.strip().casefold() if isinstance(verdict, str) else verdict
    if known not in ("a", "b", "tie") and not (verdict is None and (_has(row, "probability") or row.get("tie"))):
        raise BatchError(f"{where}: preference must be 'A', 'B' or 'tie', got {shown(verdict)}")
    sides = (second, first) if known == "b" else (first, second)
    return _pair(row, prompt, *sides, _tie(row, where), where)


def _ranking(row: Mapping[str, Any], where: str, weighting: Weighting) -> list[Pair]:
    responses = _sequence(row, "responses", where)
    prompt = _prompt(row, where)
    if prompt is None:
        raise BatchError(f"{where}: prompt is missing: a ranking needs it")
    texts = [_completion(one, prompt, f"{where}: responses[{place}]")[1] for place, one in enumerate(responses)]
    ranks = None
    for name in ("scores", "ranks"):
        if _has(row, name):
            values = [_finite(value, name, where) for value in _sequence(row, name, where)]
            ranks = ranks_of_scores(values) if name == "scores" else values
    like = _pair(row, prompt, "", "", False, where)
    return ranking_pairs(prompt, texts, ranks, weighting=weighting, like=like, where=where)


def _pair(row: Mapping[str, Any], prompt: Prompt, chosen: str, rejected: str, tie: bool, where: str) -> Pair:
    margin = _number(row, "margin", where)
    weight = _number(row, "weight", where)
    probability = _number(row, "probability", where)
    if weight is not None and weight < 0:
        raise BatchError(f"{where}: weight must not be negative, got {weight:g}")
    if probability is not None and not 0 <= probability <= 1:
        raise BatchError(f"{where}: probability must be from 0 to 1, got {probability:g}")
    usual = 0.5 if tie else 1.0
    pair = Pair(
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        probability=usual if probability is None else probability,
        tie=tie,
        margin=margin,
        weight=1.0 if weight is None else weight,
        domain=_name(row, "domain", where),
        annotator=_name(row, "annotator", where),
        id=_name(row, "id", where),
        where=where,
    )
    return pair if pair.probability >= 0.5 else turned(pair)


def turned(pair: Pair) -> Pair:
    """Return a pair whose sides have changed places, with the same meaning."""
    margin = None if pair.margin is None else -pair.margin
    return replace(pair, chosen=pair.rejected, rejected=pair.chosen, probability=1 - pair.probability, margin=margin)


def _sides(row: Mapping[str, Any], first: str, second: str, where: str) -> tuple[Prompt, str, str]:
    """Return the prompt and two completions; conversations may bring the prompt along."""
    prompt = _prompt(row, where)
    prompts, texts = zip(*(_completion(row[name], prompt, f"{where}: {name}") for name in (first, second)), strict=True)
    if prompts[0] != prompts[1]:
        raise BatchError(f"{where}: {first} and {second} must be the same up to their last turn")
    if prompts[0] is None:
        raise BatchError(f"{where}: no prompt: give a column prompt, or conversations as {first} and {second}")
    return prompts[0], texts[0], texts[1]


def _prompt(row: Mapping[str, Any], where: str) -> Prompt | None:
    return None if row.get("prompt") is None else read_prompt(row["prompt"], where)


def read_prompt(value: Any, where: str) -> Prompt:
    """Return a prompt, which is text or chat messages.

    Raises:
        BatchError: If it is neither.
    """
    if isinstance(value, str):
        return value
    if is_messages(value):
        return _turns(read_messages(value, f"{where}: prompt"))
    raise BatchError(f"{where}: prompt: expected text or chat messages, got {type(value).__name__}")


def _completion(value: Any, prompt: Prompt | None, where: str) -> tuple[Prompt | None, str]:
    """Return the prompt and the text of a completion; a conversation may start with the prompt."""
    if isinstance(value, str):
        turns = _hh_turns(value) if prompt is None else ()
        return (turns[:-1], str(turns[-1]["content"])) if turns else (prompt, value)
    if not is_messages(value):
        raise BatchError(f"{where}: expected text or chat messages, got {type(value).__name__}")
    messages = _turns(read_messages(value, where))
    if not messages or messages[-1]["role"] != "assistant":
        raise BatchError(f"{where}: the last message must be the assistant's")
    before, text = messages[:-1], completion_text(messages[-1:], where)
    if not before:
        return prompt, text
    if prompt is not None and not _same(prompt, before):
        raise BatchError(f"{where}: a conversation that does not start with the prompt of the row")
    return before, text


def _same(prompt: Prompt, turns: tuple[Message, ...]) -> bool:
    """Tell whether a prompt is these turns, or as text the last one of them."""
    return prompt_text(turns[-1:], "prompt") == prompt if isinstance(prompt, str) else turns == prompt


def _turns(turns: Sequence[Message]) -> tuple[Message, ...]:
    """Return turns without the nulls that Parquet puts where another turn has a key."""
    return tuple({key: value for key, value in turn.items() if value is not None} for turn in turns)


def _hh_turns(text: str) -> tuple[Message, ...]:
    """Return the turns of a conversation in the text format of hh-rlhf, or nothing if it is none."""
    before, *parts = _HH_TURN.split(text)
    if before.strip() or not parts or parts[-2] != "Assistant":
        return ()
    names, contents = parts[::2], parts[1::2]
    return tuple(
        {"role": _HH_ROLES[name], "content": content.removeprefix(" ")}
        for name, content in zip(names, contents, strict=True)
    )


def _tie(row: Mapping[str, Any], where: str) -> bool:
    tie = row.get("tie")
    if tie is not None and not isinstance(tie, bool):
        raise BatchError(f"{where}: tie must be true or false, got {shown(tie)}")
    said = [row.get(name) for name in ("preference", "label")]
    return bool(tie) or any(isinstance(one, str) and one.strip().casefold() == "tie" for one in said)


def _number(row: Mapping[str, Any], name: str, where: str) -> float | None:
    return None if row.get(name) is None else _finite(row[name], name, where)


def _finite(value: Any, name: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(name, "a number", value, where)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _refuse(name, "a finite number", value, where)
    return number


def _name(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        _refuse(name, "text", value, where)
    return str(value)


def _sequence(row: Mapping[str, Any], name: str, where: str) -> Sequence[Any]:
    value = row[name]
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
        _refuse(name, "a list", value, where)
    return value


def _refuse(name: str, expected: str, value: Any, where: str) -> NoReturn:
    raise BatchError(f"{where}: {name} must be {expected}, got {shown(value)}")
