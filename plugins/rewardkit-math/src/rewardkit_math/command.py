"""``rewardkit math``: look at one verdict."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rewardkit_math.outcome import Verdict
    from rewardkit_math.verifier import MathVerifier

__all__ = ["math"]


@click.group()
def math() -> None:
    """Look at what the math verifier finds and decides."""


@math.command()
@click.argument("response")
@click.option("--answer", required=True, metavar="GOLD", help="The reference: an answer, or a solution that states it.")
@click.option("--prompt", default="", help="The question: an answer that only repeats it is wrong.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the component, as in percent=sign; `rewardkit show math` lists them. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(response: str, answer: str, prompt: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Judge one response: what was extracted, both normal forms, what settled it, and the verdict.

    RESPONSE is what the model wrote; `-` reads it from standard input.

    \b
    Example:
      rewardkit math check 'So it is \\boxed{\\frac{3}{4}}.' --answer 0.75
    """  # noqa: D301
    text = sys.stdin.read() if response == "-" else response
    verifier = _verifier(settings)
    verdict = verifier.judge(text, answer, prompt=prompt)
    shown = _shown(verdict)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        _print(shown)


def _verifier(pairs: tuple[str, ...]) -> MathVerifier:
    from pydantic import ValidationError

    from rewardkit_math.verifier import MathVerifier

    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--set")
        settings[name.strip()] = _value(value)
    try:
        return MathVerifier.from_settings(settings)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise click.BadParameter(problems, param_hint="--set") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(verdict: Verdict) -> dict[str, Any]:
    found = verdict.extraction
    return {
        "outcome": str(verdict.outcome),
        "score": verdict.score,
        "reason": verdict.reason,
        "answer": found.answer if found else None,
        "rule": str(found.rule) if found else None,
        "start": found.start if found else None,
        "end": found.end if found else None,
        "answer_form": verdict.answer_form,
        "reference_form": verdict.reference_form,
        "stage": str(verdict.stage) if verdict.stage else None,
    }


def _print(shown: dict[str, Any]) -> None:
    from rewardkit.explain import escape

    score = "abstains" if shown["score"] is None else f"{shown['score']:g}"
    lines = {
        "verdict": f"{shown['outcome']}, {score}",
        "reason": escape(shown["reason"]),
        "stage": shown["stage"] or "nothing was compared",
        "answer": "none"
        if shown["answer"] is None
        else f"{escape(shown['answer'])}  (rule {shown['rule']}, characters {shown['start']} to {shown['end']})",
        "answer form": escape(shown["answer_form"]) or "none",
        "reference form": escape(shown["reference_form"]) or "none",
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        click.echo(f"{name:<{width}}  {value}")
