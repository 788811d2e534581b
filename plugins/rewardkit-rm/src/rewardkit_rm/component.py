"""The component ``reward_model``: the score of a local reward model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, Field

from rewardkit import Columns, Component, Scores
from rewardkit.component import ConfigPath
from rewardkit.errors import BatchError
from rewardkit.messages import Message, prompt_text, read_messages
from rewardkit.thinking import closes_thinking, opens_thinking, visible_span

if TYPE_CHECKING:
    from rewardkit_rm.pairs.pair import Prompt

__all__ = ["AsRead", "RewardModelScorer", "as_read"]

_MODEL_FILES = ("reward_model.json", "config.json")


def _model_folder(path: str) -> str:
    if not os.path.isdir(path):
        raise ValueError(f"there is no folder {path!r}")
    if not any(os.path.isfile(os.path.join(path, name)) for name in _MODEL_FILES):
        raise ValueError(f"{path!r} holds no model: neither {' nor '.join(_MODEL_FILES)}")
    return path


class RewardModelScorer(Component):
    """The score that a local reward model gives a completion, read together with its prompt.

    ``model`` is a folder: one that ``rewardkit rm train`` wrote, or any Hugging Face sequence classifier with one
    label and weights in safetensors. In a config file, a relative path starts from the folder of that file. The model
    is loaded when the first batch is scored, and shared by all equal components of a process; it is loaded again when
    its files change. A process that was forked afterwards scores with one thread.

    Where the batch carries chat messages, the model's chat template sees their turns up to the completion; else the
    prompt is one turn of the user. Thinking is cut off before the model reads the completion, unless ``thinking`` says
    ``keep`` (what the chat template of the model leaves out of it is lost even so); a completion that never leaves its
    thinking shows nothing, and the model scores the empty answer. Prompts that are too long lose their beginning,
    answers never lose anything: a sample whose answer does not fit, or whose score is no finite number, is a failure
    with its reason.

    The range has no bounds, and the scale is the model's own: normalise it by a calibration (``rewardkit rm
    calibrate``). A sample gets the same score in every batch, but for rounding (1e-4 in float32, some 1e-2 in
    bfloat16). Details of each sample: its tokens, how many of the prompt's were cut, and what the model read of the
    completion where that is not all of it.

    Raises:
        ValueError: On construction, if there is no model in that folder.
    """

    name: ClassVar[str] = "reward_model"
    version: ClassVar[str] = "1"
    slow: ClassVar[bool] = True

    model: Annotated[ConfigPath, AfterValidator(_model_folder)] = Field(description="The folder of the model.")
    device: str = Field(default="auto", description="auto, cpu, cuda, cuda:1, mps.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="Number format of the weights; the head is float32 always."
    )
    batch_tokens: int = Field(default=16384, ge=1, description="Tokens that go through the model at a time.")
    thinking: Literal["strip", "keep"] = Field(default="strip", description="Whether the model reads the thinking.")
    trust_remote_code: bool = Field(default=False, description="Run Python code that lies in the folder of the model.")

    class Inputs(Columns):
        """``messages``: chat transcripts; their turns before the completion stand for the prompt."""

        prompt: list[str]
        completion: list[str]
        messages: list[Any] | None = None

    def score(self, inputs: Inputs) -> Scores:
        """Score every sample; see the class."""
        if not len(inputs):
            return Scores([])
        from rewardkit_rm.loaded import loaded

        prompts, shown, failures = as_read(inputs, self.thinking)
        model = loaded(self.model, self.device, self.dtype, self.trust_remote_code)
        with model.lock:
            scored = model.scorer.score(prompts, shown, batch_tokens=self.batch_tokens)

        def explain(row: int) -> Mapping[str, Any]:
            with model.lock:
                encoded = model.scorer.encoder.encode(prompts[row], shown[row])
            found = {"tokens": len(encoded.input_ids), "cut_prompt_tokens": encoded.cut}
            return found if shown[row] == inputs.completion[row] else found | {"read": shown[row]}

        return Scores(scored.values, failures=scored.problems | failures, details=explain)

    def weights_digest(self) -> str:
        """Return the digest of the model: weights, settings and tokenizer."""
        from rewardkit_rm.loaded import stored_digest

        return stored_digest(self.model)


class AsRead(NamedTuple):
    """Samples as a model reads them; ``failures`` says of some rows why they cannot be read."""

    prompts: list[Prompt]
    completions: list[str]
    failures: dict[int, str]


def as_read(inputs: RewardModelScorer.Inputs, thinking: Literal["strip", "keep"] = "strip") -> AsRead:
    """Return what a model reads of samples: turns where they are chat, and completions without their thinking."""
    prompts, failures = _prompts(inputs)
    shown = inputs.completion if thinking == "keep" else _without_thinking(inputs)
    return AsRead(prompts, shown, failures)


def _without_thinking(inputs: RewardModelScorer.Inputs) -> list[str]:
    opened = inputs.derive(opens_thinking, "prompt")
    return [
        "" if inside and not closes_thinking(text) else _visible(text)
        for text, inside in zip(inputs.completion, opened, strict=True)
    ]


def _visible(text: str) -> str:
    """Return what a completion shows, without the white space that parted it from its thinking."""
    start, end = visible_span(text)
    shown = text[start:end].lstrip() if start else text[:end]
    return shown if end == len(text) else shown.rstrip()


def _prompts(inputs: RewardModelScorer.Inputs) -> tuple[list[Prompt], dict[int, str]]:
    """Return the prompts, of chat samples their turns, and why some of them cannot be read."""
    prompts: list[Prompt] = list(inputs.prompt)
    failures: dict[int, str] = {}
    for row, transcript in enumerate(inputs.messages or ()):
        if transcript is None:
            continue
        try:
            prompts[row] = _turns(transcript, inputs.completion[row]) or prompts[row]
        except BatchError as error:
            failures[row] = str(error)
    return prompts, failures


def _turns(transcript: Any, completion: str) -> tuple[Message, ...]:
    """Return the turns before the completion: the last turn of the assistant, if it ends the transcript or says it."""
    turns = read_messages(transcript, "messages")
    last = max((at for at, turn in enumerate(turns) if turn["role"] == "assistant"), default=len(turns))
    is_completion = last == len(turns) - 1 or (
        last < len(turns) and prompt_text(turns[last : last + 1], "") == completion
    )
    return tuple(turns[:last] if is_completion else turns)
