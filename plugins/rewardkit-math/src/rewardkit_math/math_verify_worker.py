"""What a worker process of the component ``math_verify`` runs: the package itself, without any time limit."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from math_verify import LatexExtractionConfig, LatexNormalizationConfig, parse, verify

__all__ = ["judge"]

_SHOWN = 500
_LATEX_ONLY: dict[str, Any] = {
    "extraction_config": [
        LatexExtractionConfig(
            normalization_config=LatexNormalizationConfig(units=True),
            boxed_match_priority=0,
            try_extract_without_anchor=False,
        )
    ],
    "extraction_mode": "first_match",
}
"""What TRL's accuracy_reward passes to ``parse``."""


def judge(task: Mapping[str, Any]) -> dict[str, Any]:
    r"""Judge one pair by math-verify; it may hang.

    Args:
        task: ``response`` and ``reference``, texts, and ``latex_only``.

    Returns:
        ``equal``, and the parsed forms of both sides as texts, "" where there is none.

    Example:
        >>> judge({"response": r"So \boxed{\frac{3}{4}}", "reference": "0.75", "latex_only": False})
        {'equal': True, 'answer': '3/4 | \\frac{3}{4}', 'reference': '0.750000000000000 | 0.75'}
    """
    how = _LATEX_ONLY if task["latex_only"] else {}
    reference = parse(rf"\boxed{{{task['reference']}}}", parsing_timeout=None)
    answer = parse(task["response"], parsing_timeout=None, **how)
    equal = bool(reference) and verify(reference, answer, timeout_seconds=None)
    return {"equal": equal, "answer": _shown(answer), "reference": _shown(reference)}


def _shown(forms: list[Any]) -> str:
    """Return the distinct parsed forms as one text."""
    return " | ".join(dict.fromkeys(map(_text, forms)))[:_SHOWN]


def _text(form: Any) -> str:
    try:
        return str(form)
    except (ValueError, RecursionError) as error:  # more digits than Python prints, or too deep
        return f"not shown: {type(error).__name__}"


# It would warn that its time limits are off.
logging.getLogger("math_verify").setLevel(logging.ERROR)
# The first parse builds tables; here no task pays for them.
parse(r"\boxed{\frac{1}{2}}", parsing_timeout=None)
