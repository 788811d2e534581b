"""What a reward is made of: enough to tell two versions apart."""

from __future__ import annotations

from typing import Any

from rewardkit.calibration import Calibration
from rewardkit.component import Component
from rewardkit.registry import components
from rewardkit.scores import Identity
from rewardkit.term import Term

__all__ = ["describe", "identify"]

_DECISIVE = {"mean", "std", "clip", "component", "version"}


def identify(component: Component) -> Identity:
    """Return name, version, distribution and settings of a component."""
    entry = components.origin_of(component)
    distribution = entry.distribution if entry is not None else ""
    return Identity(component.name, component.version, distribution, component.settings)


def describe(term: Term) -> dict[str, Any]:
    """Return everything that decides what a term adds, as plain JSON values; notes are left out."""
    component, schedule = term.component, term.schedule
    normalize: Any = term.normalize
    if isinstance(normalize, Calibration):
        normalize = normalize.model_dump(mode="json", include=_DECISIVE)
    return {
        "use": component.name,
        "version": component.version,
        "settings": component.settings,
        "weight": {"use": schedule.name, **schedule.model_dump(mode="json")},
        "inputs": {name: source for name, source in term.inputs.items() if name != source},
        "when": {column: list(values) for column, values in term.when.items()},
        "requires": dict(term.requires),
        "required": term.required,
        "on_error": term.on_error,
        "partial": term.partial,
        "on_truncated": term.on_truncated,
        "normalize": normalize,
        "clip": term.clip,
        "collapse": term.collapse,
    }
