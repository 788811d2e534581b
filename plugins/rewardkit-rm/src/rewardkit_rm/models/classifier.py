"""The last layer of a sequence classifier, taken out to run in float32, and put back to be saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from transformers import PreTrainedModel

from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.reward_model import ScalarHead

__all__ = ["take_head", "with_head"]


def take_head(body: PreTrainedModel, name: str) -> ScalarHead:
    """Return the last linear layer of a sequence classifier as a head; the body then gives what that layer read.

    Raises:
        ModelError: If there is not exactly one layer of one output beside the transformer.
    """
    place = _find(body, name)
    layer = body.get_submodule(place)
    assert isinstance(layer, nn.Linear)
    body.set_submodule(place, nn.Identity())
    return ScalarHead(nn.Sequential(layer), place=place)


def _find(body: PreTrainedModel, name: str) -> str:
    inside = f"{body.base_model_prefix}."
    found = [
        place
        for place, module in body.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == 1 and not place.startswith(inside)
    ]
    if len(found) != 1:
        raise ModelError(
            f"{name}: {type(body).__name__} should end in one linear layer of one output, found {len(found)}"
        )
    place: str = found[0]
    return place


@contextmanager
def with_head(body: PreTrainedModel, head: ScalarHead) -> Iterator[PreTrainedModel]:
    """Put the last layer back, so that the body is the whole classifier that transformers knows."""
    body.set_submodule(head.place, head.output)
    try:
        yield body
    finally:
        body.set_submodule(head.place, nn.Identity())
