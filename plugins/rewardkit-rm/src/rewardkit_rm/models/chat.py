"""Chat templates: a conversation as the text that a model was trained to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rewardkit_rm.models.errors import ModelError

__all__ = ["ChatTemplate", "TemplateRefusal"]

# no part of the one is a part of the other, the day of the week included
_CLOCKS = (datetime(2001, 2, 3, 4, 5, 6), datetime(2019, 12, 26, 22, 44, 33))
_MISTAKES = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
_ASKED = {"role": "user", "content": "a"}
_PROBES = ([_ASKED], [{"role": "system", "content": "c"}, _ASKED])


class TemplateRefusal(ModelError):
    """A conversation that a chat template refuses, as one without alternating roles."""


class ChatTemplate:
    """A Jinja chat template, rendered in a sandbox and with a clock that stands still.

    Args:
        source: The template.
        special_tokens: What it may name: ``bos_token``, ``eos_token`` and the like.
        pinned: The date for ``strftime_now`` and ``date_string``; None refuses a template whose text depends on
            the clock.

    Raises:
        ModelError: If it is no template, or writes today's date and none is pinned.

    Example:
        >>> template = ChatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", {})
        >>> template.render([{"role": "user", "content": "2+2?"}])
        '<user>2+2?'
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str], pinned: date | None = None) -> None:
        try:
            self._template = _environment().from_string(source)
        except (TemplateError, TypeError) as error:
            raise ModelError(f"the chat template is broken: {error}") from None
        self._variables: dict[str, Any] = {**special_tokens, "tools": None, "documents": None}
        self._pinned = pinned
        if pinned is not None:
            self._variables["date_string"] = pinned.strftime("%d %b %Y")
        self._refuse_todays_date()

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return a conversation as text.

        Raises:
            TemplateRefusal: If the template does not take these turns.
            ModelError: If the text depends on the clock and no date is pinned.
        """
        first, asked = self._rendered(messages, _CLOCKS[0])
        if asked and self._pinned is None and self._rendered(messages, _CLOCKS[1])[0] != first:
            raise ModelError(
                "the chat template writes today's date, so that scores would change from day to day; "
                "pin it with 'template_date', as in 2024-07-26"
            )
        return first

    def _rendered(self, messages: Sequence[Mapping[str, Any]], clock: datetime) -> tuple[str, bool]:
        now = clock if self._pinned is None else datetime(self._pinned.year, self._pinned.month, self._pinned.day)
        asked: list[str] = []

        def strftime_now(form: str) -> str:
            asked.append(form)
            return now.strftime(form)

        try:
            text = self._template.render(
                **self._variables, messages=messages, add_generation_prompt=False, strftime_now=strftime_now
            )
        except (*_MISTAKES, TemplateError) as error:
            reason = str(error) or type(error).__name__
            raise TemplateRefusal(f"the chat template refuses this conversation: {reason}") from None
        return text, bool(asked)

    def writes_answers(self) -> bool:
        """Tell whether two answers become two texts; also true where it refuses to be tried."""
        return all(len(set(texts)) == len(texts) for texts in self._tried())

    def _refuse_todays_date(self) -> None:
        for _ in self._tried():
            pass

    def _tried(self) -> Iterator[list[str]]:
        """Yield the texts of two answers, for each beginning of a conversation that it takes."""
        for turns in _PROBES:
            try:
                yield [self.render([*turns, {"role": "assistant", "content": text}]) for text in ("b", "d")]
            except TemplateRefusal:
                continue


class _Generation(Extension):
    """The block ``generation``, with which some templates mark what the assistant wrote; here it is only its body."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    return environment


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    allowed: dict[str, Callable[..., Any]] = {
        name: options[name] for name in ("separators", "sort_keys") if name in options
    }
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **allowed)  # type: ignore[arg-type]


def _raise_exception(message: str) -> None:
    raise TemplateError(message)
