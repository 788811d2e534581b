"""Chat templates that leave out or change what is to be scored, and limits of a tokenizer that are none."""

from __future__ import annotations

from typing import Any

import pytest
from rewardkit_rm.models.encoding import ResponseEncoder
from rewardkit_rm.models.errors import ModelError
from tiny_models import tiny_tokenizer


class TestTemplatesThatLeaveOut:
    THINKING = "{% for m in messages %}<|im_start|>{{ m.content.split('</think>')[-1] | trim }}{% endfor %}"

    @pytest.mark.parametrize(
        "template",
        [
            "",
            "always the same",
            "{% for m in messages[:-1] %}{{ m.content }}{% endfor %}",
            "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}",
            "{{ messages | length }}",
        ],
    )
    def test_a_template_without_the_answer_is_refused(self, template: str) -> None:
        with pytest.raises(
            ModelError, match="leaves out what the assistant says, so that all answers would score alike"
        ):
            ResponseEncoder(tiny_tokenizer("chat", chat_template=template))

    def test_a_template_that_refuses_to_be_tried_may_take_other_turns(self) -> None:
        template = (
            "{% if messages[0].role != 'judge' %}{{ raise_exception('no') }}{% endif %}{{ messages[-1].content }}"
        )
        encoder = ResponseEncoder(tiny_tokenizer("chat", chat_template=template))
        assert encoder.encode(({"role": "judge", "content": "a"},), "b").input_ids
        assert encoder.encode("a", "b").problem == "the chat template refuses this conversation: no"

    @pytest.mark.parametrize("same", [" 4 ", "4\n", "<think>two and two</think>4", "<think>a</think>\n\n4"])
    def test_white_space_and_thinking_may_be_left_out(self, same: str) -> None:
        encoder = ResponseEncoder(tiny_tokenizer("chat", chat_template=self.THINKING))
        assert encoder.encode("2+2?", same) == encoder.encode("2+2?", "4")

    @pytest.mark.parametrize(
        "template",
        [
            "{% for m in messages %}{{ m.content[:5] }}{% endfor %}",
            "{% for m in messages %}{{ m.content | replace('a', 'e') }}{% endfor %}",
            "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
        ],
    )
    def test_a_completion_that_is_changed_is_not_scored(self, template: str) -> None:
        encoder = ResponseEncoder(tiny_tokenizer("chat", chat_template=template))
        assert encoder.encode("q", "say abc").problem == "the chat template does not write the whole completion"


@pytest.mark.parametrize("limit", ["many", 0, -5])
def test_a_limit_of_the_tokenizer_that_is_none_is_refused(limit: Any) -> None:
    tokenizer = tiny_tokenizer("chat")
    tokenizer.model_max_length = limit
    with pytest.raises(ModelError, match="model_max_length must be a number of tokens, got"):
        ResponseEncoder(tokenizer)
