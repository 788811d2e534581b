"""Stress cases for rewards, and the HTML report that every command shares."""

from collections.abc import Mapping
from typing import Any

from rewardkit import hookimpl


@hookimpl
def rewardkit_probes() -> list[Mapping[str, Any]]:
    """Return the stress cases as adversarial samples."""
    from rewardkit_audit.stress.cases import probes

    return [*probes()]
