"""Chat templates: rendered as transformers does, in a sandbox, and never with today's date."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from rewardkit_rm.models.chat import ChatTemplate, TemplateRefusal
from rewardkit_rm.models.errors import ModelError
from tiny_models import CHATML, tiny_tokenizer

TURNS = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
WITH_SYSTEM = [{"role": "system", "content": "Be brief."}, *TURNS]
LOOP = "{% for m in messages %}({{ m.role }}: {{ m.content }}){% endfor %}"
IF_UNSET = "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
THINKS = (
    "{% for m in messages %}{% if m.role == 'assistant' and loop.last %}"
    "{% if '</think>' in m.content %}{{ m.content }}{% else %}<think>\n\n</think>\n\n{{ m.content }}{% endif %}"
    "{% else %}{{ m.content }}\n{% endif %}{% endfor %}"
)


@pytest.mark.parametrize("messages", [TURNS, WITH_SYSTEM], ids=["two turns", "a system turn"])
@pytest.mark.parametrize(
    "source",
    [
        CHATML,
        LOOP,
        "{{ bos_token }}{% for m in messages %}{{ m['content'] | trim }}{{ eos_token }}{% endfor %}",
        "{%- for m in messages -%}\n    {% if m.role == 'system' %}\n{% continue %}\n{% endif %}\n"
        "{{ m.content }}\n{% endfor %}",
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
        "{{ messages | tojson }}{{ messages[0] | tojson(indent=2) }}",
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
        "{% if tools is not none %}tools{% endif %}{% if tools %}tools{% endif %}{{ unknown_token }}x",
        "{% macro say(m) %}<{{ m.content }}>{% endmacro %}{{ say(messages[-1]) }}",
        THINKS,
    ],
    ids=lambda source: source[:25],
)
def test_renders_as_transformers_does(source: str, messages: list[dict[str, Any]]) -> None:
    tokenizer = tiny_tokenizer("plain")
    theirs = tokenizer.apply_chat_template(messages, chat_template=source, tokenize=False)
    assert ChatTemplate(source, tokenizer.special_tokens_map).render(messages) == theirs


class TestTodaysDate:
    @pytest.mark.parametrize(
        "source",
        [
            "{{ strftime_now('%Y-%m-%d') }}" + LOOP,
            IF_UNSET + "Today: {{ date_string }}" + LOOP,
            "{% if messages[0].role == 'system' %}{{ strftime_now('%A') }}{% endif %}" + LOOP,
            "{{ strftime_now('%H:%M:%S') }}" + LOOP,
        ],
        ids=["written", "as a default", "with a system turn only", "the time"],
    )
    def test_is_refused_before_anything_is_scored(self, source: str) -> None:
        with pytest.raises(ModelError, match="the chat template writes today's date, so that scores would change"):
            ChatTemplate(source, {})

    def test_is_refused_in_a_row_that_brings_it_out(self) -> None:
        template = ChatTemplate("{% if 'date' in messages[0].content %}{{ strftime_now('%d') }}{% endif %}" + LOOP, {})
        assert template.render(TURNS) == "(user: 2+2?)(assistant: 4)"
        with pytest.raises(ModelError, match="pin it with 'template_date', as in 2024-07-26"):
            template.render([{"role": "user", "content": "What date is it?"}])

    def test_that_is_asked_for_and_not_written_is_no_matter(self) -> None:
        assert ChatTemplate("{% set today = strftime_now('%d') %}" + LOOP, {}).render(TURNS).startswith("(user")

    def test_a_date_that_the_template_fixes_is_no_matter(self) -> None:
        fixed = "{% if not date_string is defined %}{% set date_string = '26 Jul 2024' %}{% endif %}{{ date_string }}"
        assert ChatTemplate(fixed, {}).render(TURNS) == "26 Jul 2024"

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("{{ strftime_now('%Y-%m-%d %H:%M') }}", "2024-07-04 00:00"),
            (IF_UNSET + "{{ date_string }}", "04 Jul 2024"),
            ("{{ strftime_now('%A') }}", "Thursday"),
        ],
    )
    def test_may_be_pinned(self, source: str, expected: str) -> None:
        assert ChatTemplate(source, {}, date(2024, 7, 4)).render(TURNS) == expected


class TestRefusals:
    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
            ("{{ messages[7].content }}", "list object has no element 7"),
            ("{{ messages + 1 }}", "can only concatenate list"),
            ("{{ 1 // 0 }}", "by zero"),
            ("{{ datetime.now() }}", "'datetime' is undefined"),
            ("{{ messages.__class__.__mro__ }}", "access to attribute '__class__'"),
            ("{{ messages.append(1) }}", "access to attribute 'append' of 'list' object is unsafe"),
            ("{% for n in range(999999999) %}{% endfor %}", "Range too big"),
            ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "maximum recursion depth"),
        ],
        ids=["raises", "a turn too few", "a type", "arithmetic", "a clock", "a class", "writing", "size", "depth"],
    )
    def test_name_the_reason(self, source: str, reason: str) -> None:
        template = ChatTemplate(source, {})
        with pytest.raises(TemplateRefusal, match=f"the chat template refuses this conversation: .*{reason}"):
            template.render(TURNS)

    def test_a_broken_template_is_no_template(self) -> None:
        with pytest.raises(ModelError, match="the chat template is broken: Unexpected end of template"):
            ChatTemplate("{% for m in messages %}", {})


def test_an_answer_without_reasoning_is_scored_with_the_empty_block_that_the_template_puts_before_it() -> None:
    assert ChatTemplate(THINKS, {}).render(TURNS) == "2+2?\n<think>\n\n</think>\n\n4"
