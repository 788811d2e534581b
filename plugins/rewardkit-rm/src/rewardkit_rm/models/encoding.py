"""How a prompt and a completion become tokens: one way for training and for scoring.

Public names::

    Encoded(input_ids: list[int], token_type_ids: list[int] | None = None, cut: int = 0,
            too_long: bool = False, problem: str = "")
    ResponseEncoder(tokenizer, settings: EncodingSettings = EncodingSettings(), limit: int | None = None)
        .format: "chat" | "pair" | "plain"        .max_length: int | None        .settings: resolved EncodingSettings
        .encode(prompt: Prompt, completion: str) -> Encoded
        .encode_batch(prompts: Sequence[Prompt], completions: Sequence[str]) -> list[Encoded]
        .pad(encoded: Sequence[Encoded], side="right") -> {"input_ids", "attention_mask"[, "token_type_ids"]}
        .pack(encoded: Sequence[Encoded], row_tokens: int | None = None) -> the same; the mask holds 1, 2, 3, ...
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rewardkit.messages import Message, prompt_text
from rewardkit.thinking import visible_span
from rewardkit_rm.models.chat import ChatTemplate, TemplateRefusal
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.settings import EncodingSettings
from rewardkit_rm.pairs.pair import Prompt, text_of

__all__ = ["Encoded", "ResponseEncoder"]

_CHUNK = 1024  # what the tokenizer remembers of each token takes more room than the token
_UNLIMITED = 1_000_000  # tokenizers without a limit say 10**30


@dataclass(frozen=True, slots=True)
class Encoded:
    """One prompt with its completion, as tokens.

    Attributes:
        input_ids: The tokens; none where there is a problem.
        token_type_ids: The segment of each, for encoders that tell segments apart.
        cut: How many tokens of the prompt were left out to make it fit.
        too_long: The completion alone does not fit.
        windows: Its parts, where it is read in several; ``input_ids`` are then all tokens, more than the model reads.
        problem: Why it cannot be scored; empty where it can.
    """

    input_ids: list[int]
    token_type_ids: list[int] | None = None
    cut: int = 0
    too_long: bool = False
    problem: str = ""
    windows: tuple[Encoded, ...] = ()


@dataclass(frozen=True, slots=True)
class _Written:
    """A prompt with its completion as text, before it becomes tokens."""

    text: str
    completion: str | None = None  # the second segment of a pair
    prompt: tuple[Message, ...] = ()  # what stands before the completion, of a chat
    boundary: int = 0  # where the completion begins, of plain text


class ResponseEncoder:
    """Turn prompts and completions into tokens.

    * ``chat``: the chat template is applied once, to the prompt's turns and the completion as the assistant's; a
      prompt that is text is one turn of the user. The template alone decides about beginning- and end-of-text tokens.
      What it adds is scored with the rest: a default system prompt, or the empty ``<think>`` block that templates of
      Qwen3's kind put before an answer without reasoning.
      It may leave out thinking and white space of the completion, as some do; where it leaves out or changes anything
      else, the row is not scored.
    * ``pair``: two segments. ``plain``: prompt, blank line, completion, end-of-text token.

    A sequence that is longer than ``max_length`` loses the *first* tokens of its prompt (never the beginning-of-text
    token, never a token of the completion, nor what the template writes around that). Special tokens that are typed
    in a prompt or a completion, such as ``<|im_end|>``, stay text: a space goes behind their first character.

    Args:
        tokenizer: A fast tokenizer of transformers.
        settings: Format and length.
        limit: Most tokens that the model reads.

    Raises:
        ModelError: If the tokenizer cannot do what the settings ask.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        settings: EncodingSettings | None = None,
        limit: int | None = None,
    ) -> None:
        if not tokenizer.is_fast:
            raise ModelError(f"{type(tokenizer).__name__} is a slow tokenizer; a reward model needs a tokenizer.json")
        settings = settings or EncodingSettings()
        if settings.chat_template is not None:
            tokenizer.chat_template = _read_template(settings.chat_template)
        self.tokenizer = tokenizer
        self.format: Literal["chat", "pair", "plain"] = _format_of(tokenizer, settings.format)
        if settings.windows and self.format != "pair":
            raise ModelError(f"windows need the format 'pair', and the tokenizer's is {self.format!r}")
        self.max_length = _least(settings.max_length, limit, _own_limit(tokenizer))
        self.settings = settings.model_copy(
            update={"format": self.format, "max_length": self.max_length, "chat_template": None}
        )
        self._chat = _chat_template(tokenizer, settings) if self.format == "chat" else None
        self._typed = _special_tokens(tokenizer)

    def encode(self, prompt: Prompt, completion: str) -> Encoded:
        """Return one prompt with its completion as tokens; see `encode_batch`."""
        return self.encode_batch([prompt], [completion])[0]

    def encode_batch(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[Encoded]:
        """Return prompts with their completions as tokens.

        A row that cannot be encoded says so in ``problem``: text that is no Unicode, turns that the chat template
        refuses, a completion that does not fit.

        Raises:
            ModelError: If the chat template writes today's date and none is pinned.
        """
        encoded: list[Encoded] = []
        rows = zip(prompts, completions, strict=True)
        while some := list(itertools.islice(rows, _CHUNK)):
            written = [self._write(prompt, completion) for prompt, completion in some]
            tokens = iter(self._tokens([item for item in written if isinstance(item, _Written)]))
            encoded += [next(tokens) if isinstance(item, _Written) else Encoded([], problem=item) for item in written]
        return encoded

    def pad(self, encoded: Sequence[Encoded], side: Literal["right", "left"] = "right") -> dict[str, Tensor]:
        """Return tensors of shape ``(B, L)``: ``input_ids``, ``attention_mask``, and the segments where there are any.

        The padding token means nothing: the mask alone tells what is real.
        """
        length = max(len(item.input_ids) for item in encoded)
        columns = {"input_ids": (self._padding_id, [item.input_ids for item in encoded])}
        columns["attention_mask"] = (0, [[1] * len(item.input_ids) for item in encoded])
        if encoded[0].token_type_ids is not None:
            columns["token_type_ids"] = (0, [item.token_type_ids or [] for item in encoded])
        return {name: _stacked(rows, length, filler, side) for name, (filler, rows) in columns.items()}

    def pack(self, encoded: Sequence[Encoded], row_tokens: int | None = None) -> dict[str, Tensor]:
        """Return several sequences a row, in the order given.

        Args:
            encoded: The sequences.
            row_tokens: Most tokens of a row; None is the length of the longest sequence.

        Returns:
            ``input_ids`` and ``attention_mask``, shape ``(rows, L)``. The mask holds the number of the sequence in
            its row, from 1, and 0 for padding.
        """
        room = max(row_tokens or 0, *(len(item.input_ids) for item in encoded))
        rows: list[list[Encoded]] = [[]]
        filled = 0
        for item in encoded:
            if filled + len(item.input_ids) > room:
                rows.append([])
                filled = 0
            rows[-1].append(item)
            filled += len(item.input_ids)
        return self._stack_packed(rows)

    @property
    def _padding_id(self) -> int:
        pad = self.tokenizer.pad_token_id
        return 0 if pad is None else int(pad)

    def _stack_packed(self, rows: list[list[Encoded]]) -> dict[str, Tensor]:
        ids = [[token for item in row for token in item.input_ids] for row in rows]
        numbers = [[number for number, item in enumerate(row, 1) for _ in item.input_ids] for row in rows]
        columns = {"input_ids": (self._padding_id, ids), "attention_mask": (0, numbers)}
        if rows[0][0].token_type_ids is not None:
            columns["token_type_ids"] = (
                0,
                [[kind for item in row for kind in item.token_type_ids or []] for row in rows],
            )
        length = max(map(len, ids))
        return {name: _stacked(column, length, filler, "right") for name, (filler, column) in columns.items()}

    def _write(self, prompt: Prompt, completion: str) -> _Written | str:
        try:
            return self._written(prompt, completion)
        except TemplateRefusal as error:
            return str(error)
        except UnicodeEncodeError:
            return "holds half of a surrogate pair, which is no text"

    def _written(self, prompt: Prompt, completion: str) -> _Written:
        completion = self._plain_text(completion)
        if self._chat is not None:
            turns = ({"role": "user", "content": prompt},) if isinstance(prompt, str) else prompt
            turns = tuple(self._plain_turn(turn) for turn in turns)
            text = self._chat.render([*turns, _assistant(completion)])
            if not _holds(text, completion):
                raise TemplateRefusal("the chat template does not write the whole completion")
            return _Written(text, prompt=turns)
        text = self._plain_text(text_of(prompt))
        if self.format == "pair":
            return _Written(text, completion=completion)
        text = f"{text}\n\n" if text else ""
        return _Written(text + completion, boundary=len(text))

    def _plain_turn(self, turn: Message) -> Message:
        return {**self._plain_values(turn), "content": self._plain_text(prompt_text([turn], "prompt"))}

    def _plain_values(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._plain_text(value)
        if isinstance(value, Mapping):
            return {key: self._plain_values(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._plain_values(item) for item in value]
        return value

    def _plain_text(self, text: str) -> str:
        text.encode()
        return self._typed.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text) if self._typed else text

    def _tokens(self, written: list[_Written]) -> list[Encoded]:
        if not written:
            return []
        pairs = [item.completion for item in written] if self.format == "pair" else None
        batch = self.tokenizer(
            [item.text for item in written], pairs, add_special_tokens=self._chat is None, verbose=False
        )
        assert batch.encodings is not None
        return [self._encoded(item, tokens) for item, tokens in zip(written, batch.encodings, strict=True)]

    def _encoded(self, written: _Written, tokens: Any) -> Encoded:
        ids = list(tokens.ids)
        kinds = list(tokens.type_ids) if self.format == "pair" else None
        eos = self.tokenizer.eos_token_id
        if self.format == "plain" and eos is not None and ids[-1:] != [eos]:
            ids.append(eos)
        if not ids:
            return Encoded([], problem="prompt and completion are empty, and the tokenizer adds nothing")
        excess = len(ids) - self.max_length if self.max_length is not None else 0
        if excess <= 0:
            return Encoded(ids, kinds)
        return self._cut(written, tokens, ids, kinds, excess)

    def _cut(self, written: _Written, tokens: Any, ids: list[int], kinds: list[int] | None, excess: int) -> Encoded:
        first, last = self._prompt_span(written, tokens)
        if excess > last - first and self.settings.windows and self.max_length is not None:
            return _in_windows(tokens, ids, kinds or [], first, last, self.max_length)
        if excess > last - first:
            needed = len(ids) - (last - first)
            reason = f"the completion alone has {needed:,} tokens, more than the {self.max_length:,} that fit"
            return Encoded([], too_long=True, problem=reason)
        del ids[first : first + excess]
        if kinds is not None:
            del kinds[first : first + excess]
        return Encoded(ids, kinds, cut=excess)

    def _prompt_span(self, written: _Written, tokens: Any) -> tuple[int, int]:
        """Return where the prompt's tokens begin and end; these are what may be cut."""
        if self.format == "pair":
            places = [place for place, segment in enumerate(tokens.sequence_ids) if segment == 0]
        else:
            boundary = self._boundary(written)
            places = [
                place
                for place, (segment, (_, end)) in enumerate(zip(tokens.sequence_ids, tokens.offsets, strict=True))
                if segment == 0 and end <= boundary and not (place == 0 and self._opens(tokens.ids[0]))
            ]
        return (places[0], places[-1] + 1) if places else (0, 0)

    def _opens(self, token: int) -> bool:
        return token in (self.tokenizer.bos_token_id, self.tokenizer.cls_token_id)

    def _boundary(self, written: _Written) -> int:
        """Return the first character that is not the prompt's: the completion, or its turn's header before it."""
        if self._chat is None:
            return written.boundary
        try:
            alone = self._chat.render(written.prompt)
        except TemplateRefusal:
            return 0
        return _common_length(alone, written.text)


def _in_windows(tokens: Any, ids: list[int], kinds: list[int], first: int, last: int, length: int) -> Encoded:
    """Cut a completion into windows, each behind the end of the prompt, which takes a quarter of it at most."""
    completion = [place for place, segment in enumerate(tokens.sequence_ids) if segment == 1]
    kept = max(first, last - length // 4)
    before = [*range(first), *range(kept, completion[0])]
    behind = [*range(completion[-1] + 1, len(ids))]
    size = length - len(before) - len(behind)
    windows = [[*before, *completion[at : at + size], *behind] for at in range(0, len(completion), size)]
    parts = tuple(Encoded([ids[place] for place in part], [kinds[place] for place in part]) for part in windows)
    return Encoded(ids, kinds, cut=kept - first, windows=parts)


def _holds(text: str, completion: str) -> bool:
    """Tell whether a text holds a completion, or what it shows behind its thinking; white space does not count."""
    if completion.strip() in text:
        return True
    start, end = visible_span(completion)
    return "".join(completion[start:end].split()) in "".join(text.split())


def _common_length(one: str, other: str) -> int:
    """Return how many characters two texts begin with together."""
    if other.startswith(one):
        return len(one)
    return next(place for place, (a, b) in enumerate(zip(one, f"{other}\0", strict=False)) if a != b)


def _assistant(completion: str) -> Message:
    return {"role": "assistant", "content": completion}


def _format_of(tokenizer: PreTrainedTokenizerBase, wanted: str) -> Literal["chat", "pair", "plain"]:
    if wanted == "chat" and tokenizer.chat_template is None:
        raise ModelError("format 'chat' needs a chat template and the tokenizer has none; name a file as chat_template")
    separates = tokenizer.num_special_tokens_to_add(pair=True) > tokenizer.num_special_tokens_to_add(pair=False) > 1
    if wanted == "pair" and not separates:
        raise ModelError("format 'pair' needs an encoder's tokenizer, one that puts a separator between two segments")
    if wanted == "chat" or (wanted == "auto" and tokenizer.chat_template is not None):
        return "chat"
    return "pair" if wanted == "pair" or (wanted == "auto" and separates) else "plain"


def _chat_template(tokenizer: PreTrainedTokenizerBase, settings: EncodingSettings) -> ChatTemplate:
    try:
        source = tokenizer.get_chat_template()
    except ValueError as error:
        raise ModelError(f"the tokenizer has no chat template that is the default one: {error}") from None
    names = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    pinned = None if settings.template_date is None else date.fromisoformat(settings.template_date)
    template = ChatTemplate(source, names, pinned)
    if not template.writes_answers():
        raise ModelError("the chat template leaves out what the assistant says, so that all answers would score alike")
    return template


def _read_template(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise ModelError(
            f"chat_template {path!r} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None


def _own_limit(tokenizer: PreTrainedTokenizerBase) -> int | None:
    limit: Any = tokenizer.model_max_length
    if limit is None:
        return None
    if not isinstance(limit, int | float) or limit < 1:
        raise ModelError(f"tokenizer_config.json: model_max_length must be a number of tokens, got {limit!r}")
    return None if limit > _UNLIMITED else int(limit)


def _least(*limits: int | None) -> int | None:
    known = [limit for limit in limits if limit is not None]
    return min(known, default=None)


def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str] | None:
    """Return what finds special tokens typed as text; one of a single character cannot be told from text."""
    added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    names = sorted({name for name in {*added, *tokenizer.all_special_tokens} if len(name) > 1}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names))) if names else None


def _stacked(rows: list[list[int]], length: int, filler: int, side: str) -> Tensor:
    stacked = torch.full((len(rows), length), filler)
    for place, row in enumerate(rows):
        span = slice(0, len(row)) if side == "right" else slice(length - len(row), length)
        stacked[place, span] = torch.tensor(row, dtype=torch.long)
    return stacked
