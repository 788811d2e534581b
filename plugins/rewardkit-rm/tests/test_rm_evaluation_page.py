"""The page of an evaluation: everything is on it, and nothing hostile gets through."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest
from rewardkit_rm.evaluation.evaluate import evaluate
from rewardkit_rm.evaluation.evaluation import Evaluation, Figure, Rating
from rewardkit_rm.evaluation.page import evaluation_page
from rewardkit_rm.evaluation.scored import ScoredPair

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x00"

PAIRS = [
    ScoredPair(
        at % 7 / 3,
        at % 5 / 3,
        prompt=str(at),
        domain=HOSTILE if at % 2 else "math",
        chosen_length=10 + at,
        rejected_length=60 - at,
        prompt_text=HOSTILE,
        chosen=HOSTILE,
        rejected="plain",
        id=HOSTILE,
    )
    for at in range(60)
]


class Tags(HTMLParser):
    """Collects the elements of a page and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_hostile_texts_are_shown_and_never_run() -> None:
    found = evaluate(PAIRS, others={HOSTILE: PAIRS}, baseline=PAIRS, baseline_name=HOSTILE)
    rating = Rating(name=HOSTILE, responses=60, spearman=Figure(value=0.7), band="x")
    html = evaluation_page(found.model_copy(update={"ratings": [rating]}), HOSTILE, HOSTILE).html()
    tags = Tags(html)
    assert not {"script", "img", "iframe", "link"} & set(tags.names)
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert "\x00" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html
    html.encode()


@pytest.mark.parametrize(
    "word",
    [
        "Accuracy by domain",
        "Accuracy by which side is longer",
        "longer wins",
        "Expected calibration error",
        "Score against length",
        "Most surely wrong",
        "Closest to a tie",
        "Most surely right",
        "Other domains",
        "only 60",
    ],
)
def test_everything_a_person_should_see_is_on_the_page(word: str) -> None:
    found = evaluate(PAIRS, others={"elsewhere, only 60": PAIRS})
    assert word in evaluation_page(found).html()


EDGES: dict[str, Evaluation] = {
    "nothing": evaluate([]),
    "one pair": evaluate(PAIRS[:1]),
    "no lengths": evaluate([ScoredPair(1.0, 0.0), ScoredPair(0.0, 1.0)]),
    "constant": evaluate([dataclasses.replace(pair, chosen_score=1.0, rejected_score=1.0) for pair in PAIRS]),
    "large": evaluate([ScoredPair(1e100, -1e100, chosen_length=0, rejected_length=2**52), ScoredPair(0.0, 1.0)]),
    "only ties": evaluate([dataclasses.replace(pair, tie=True) for pair in PAIRS]),
    "a sample": evaluate(PAIRS, sample=20),
}


@pytest.mark.parametrize("found", EDGES.values(), ids=EDGES)
def test_a_page_is_made_of_every_evaluation(found: Evaluation) -> None:
    assert "Accuracy is over" in evaluation_page(found).html()
