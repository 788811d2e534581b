"""Rules of public benchmarks: published numbers, values worked by hand, and brute force."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewardkit_rm.evaluation.benchmarks import (
    best_of_candidates,
    judgebench,
    rewardbench,
    rewardbench2,
    rm_bench,
    ties_score,
)
from rewardkit_rm.evaluation.best_of_n import best_of_n, best_of_n_rows, expected_best

from rewardkit.errors import BatchError


def shares(subset: str, right: int, of: int) -> list[dict[str, Any]]:
    """Rows of a RewardBench 2 subset, of which some are right."""
    return [{"subset": subset, "scores": [at < right, 0.5, 0.5, 0.5]} for at in range(of)]


def test_the_overall_figure_of_rewardbench_2_is_the_mean_of_the_six_subsets() -> None:
    # published for Skywork-Reward-V2-Qwen3-0.6B: 58.2, 40.0, 71.6, 84.4, 79.4 and 34.0, overall 61.3
    published = {"Factuality": 582, "Precise IF": 400, "Math": 716, "Safety": 844, "Focus": 794}
    rows = [row for name, right in published.items() for row in as_numbers(shares(name, right, 1000))]
    found = rewardbench2([*rows, *TIES_OF_34])
    expected = {name: right / 1000 for name, right in published.items()} | {"Ties": 0.34}
    assert found.subsets == pytest.approx(expected, abs=5e-4)
    assert round(100 * found.overall, 1) == 61.3


def as_numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"scores": [float(score) for score in row["scores"]]} for row in rows]


# 29 of 50 questions are accurate in both forms, and the correct answers of all lie far apart (m_cc = 1e9), so that
# nothing is preferred and the margin term is tanh(-1): 0.6 * 29 / 50 + 0.01 * tanh(-1) = 0.3404
TIES_OF_34 = [
    row
    for at in range(50)
    for row in (
        {"subset": "Ties", "id": f"ref:{at}", "scores": [1.0, 0.0 if at < 29 else 2.0], "num_correct": 1},
        {
            "subset": "Ties",
            "id": f"tied:{at}",
            "scores": [1e9, 1.0, 0.0 if at < 29 else 2.0],
            "num_correct": 2,
        },
    )
]


def test_the_best_of_four_shares_its_point_among_ties() -> None:
    assert [best_of_candidates(scores) for scores in ([3, 1, 2, 0], [3, 3, 3, 0], [1, 2, 1, 1])] == [1.0, 1 / 3, 0.0]


def test_the_ties_score_worked_by_hand() -> None:
    rows = [
        # question 1: m_cc = 1, m_ci = 2 tied and 0.5 alone: accurate both; preferred, not hard; tanh(0.5 / 1 - 1)
        {"id": "tied:1", "scores": [5.0, 4.0, 2.0, 1.0], "num_correct": 2},
        {"id": "ref:1", "scores": [2.5, 2.0], "num_correct": 1},
        # question 2: m_cc = 0, m_ci = -1 tied and 3 alone: accurate alone; neither; tanh(-1 / 0 - 1) = -1
        {"id": "tied:2", "scores": [1.0, 1.0, 2.0], "num_correct": 2},
        {"id": "ref:2", "scores": [3.0, 0.0, 0.0], "num_correct": 1},
        # question 3 is tied only: m_ci = 0 is not accurate
        {"id": "tied:3", "scores": [1.0, 1.0, 1.0], "num_correct": 2},
    ]
    found = ties_score(rows)
    assert (found.accuracy_tied, found.accuracy_ref) == (1 / 3, 1.0)
    assert (found.preferred, found.preferred_hard) == (0.5, 0.0)
    assert found.margin == pytest.approx((math.tanh(-0.5) - 1) / 2)
    assert found.overall == pytest.approx(0.3 / 3 + 0.3 + 0.2 * 0.5 + 0 + 0.01 * found.margin)


def test_zero_gap_over_zero_spread_counts_as_nothing() -> None:
    rows = [
        {"id": "tied:a", "scores": [1.0, 1.0, 1.0], "num_correct": 2},
        {"id": "ref:a", "scores": [2.0, 1.0], "num_correct": 1},
    ]
    assert ties_score(rows).margin == 0.0


def test_a_model_that_keeps_ties_together_gets_almost_one() -> None:
    rows = [
        {"id": f"{kind}:{at}", "scores": [9.0, 9.0 - (kind == "tied") * 1e-6, 0.0], "num_correct": 2}
        for at in range(4)
        for kind in ("ref", "tied")
    ]
    assert ties_score(rows).overall == pytest.approx(1.01)


def test_sections_of_rewardbench_weigh_their_subsets_by_the_fixed_counts() -> None:
    def rows(subset: str, right: int, of: int) -> list[dict[str, Any]]:
        return [{"subset": subset, "chosen_score": float(at < right), "rejected_score": 0.5} for at in range(of)]

    found = rewardbench([*rows("math-prm", 1, 2), *rows("hep-python", 3, 3), *rows("donotanswer", 0, 1)])
    assert found.subsets == {"donotanswer": 0.0, "math-prm": 0.5, "hep-python": 1.0}
    assert found.sections == {"Safety": 0.0, "Reasoning": pytest.approx((984 * 0.5 + 164) / (984 + 164))}
    assert found.overall == pytest.approx(found.sections["Reasoning"] / 2)


def test_equal_scores_are_no_win_in_rewardbench() -> None:
    row = {"subset": "mt-bench-easy", "chosen_score": 1.0, "rejected_score": 1.0}
    assert rewardbench([row]).overall == 0.0


def test_counts_of_rewardbench_add_up_to_the_benchmark() -> None:
    from rewardkit_rm.evaluation.benchmarks import _SECTIONS

    counts = {section: sum(weights.values()) for section, weights in _SECTIONS.items()}
    # 2,985 pairs in the benchmark, of which 447 of math-prm count as 984
    assert counts == {"Chat": 358, "Chat Hard": 456, "Safety": 740, "Reasoning": 1968}
    assert sum(counts.values()) == 2985 - 447 + 984


def test_the_matrix_of_rm_bench_worked_by_hand() -> None:
    # a model that likes style: each step of style adds 1, being right adds 0.5
    row = {"score_chosen": [0.5, 1.5, 2.5], "score_rejected": [0.0, 1.0, 2.0]}
    found = rm_bench([row])
    assert found.matrix == [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    assert (found.hard, found.normal, found.easy) == (0.0, 1.0, 1.0)
    assert found.average == pytest.approx(6 / 9)


def test_domains_of_rm_bench_count_alike_and_safety_once() -> None:
    right = {"score_chosen": [1, 1, 1], "score_rejected": [0, 0, 0]}
    wrong = {"score_chosen": [0, 0, 0], "score_rejected": [0, 1, 1]}
    rows = [right | {"domain": "chat"}] * 9 + [wrong | {"domain": "math"}]
    assert rm_bench(rows).average == 0.5
    split = [right | {"domain": "safety-refuse"}] * 9 + [wrong | {"domain": "safety-response"}]
    assert rm_bench(split).domains == {"safety": 0.5}


def decided(label: str, *decisions: str, source: str = "") -> dict[str, Any]:
    return {"label": label, "source": source, "judgments": [{"decision": decision} for decision in decisions]}


@pytest.mark.parametrize(
    ("decisions", "right"),
    [
        (("A>B",), True),
        (("B>A",), False),
        (("A=B",), False),
        (("A>B", "B>A"), True),  # the second one has its sides swapped
        (("A>B", "A>B"), False),
        (("A>B", "A=B"), True),
        (("A=B", "A=B"), False),
        (("B>A", "A=B"), False),
        (("A>B", ""), True),
    ],
)
def test_a_pair_of_judgebench_is_right_if_more_orders_are_right_than_wrong(
    decisions: tuple[str, ...], right: bool
) -> None:
    assert judgebench([decided("A>B", *decisions)]).accuracy == right
    flipped = ({"A>B": "B>A", "B>A": "A>B"}.get(one, one) for one in decisions)
    assert judgebench([decided("B>A", *flipped)]).accuracy == right


def test_judgebench_by_category_and_with_scores() -> None:
    rows = [
        decided("A>B", "A>B", source="mmlu-pro-law"),
        decided("A>B", "B>A", source="livecodebench"),
        {"label": "B>A", "score_A": 1.0, "score_B": 2.0, "source": "livebench-math"},
        {"label": "B>A", "score_A": 2.0, "score_B": 2.0},
    ]
    found = judgebench(rows)
    assert (found.accuracy, found.pairs) == (0.5, 4)
    assert found.categories == {"coding": 0.0, "knowledge": 1.0, "math": 1.0, "other": 0.0}


TIE = {"subset": "Ties", "id": "ref:1", "scores": [1.0, 0.0], "num_correct": 1}
SCORED = {"chosen_score": 1.0, "rejected_score": 0.0}

REFUSED: dict[str, tuple[Callable[..., Any], list[dict[str, Any]], str]] = {
    "no rows": (rewardbench, [], "no rows to score"),
    "no rows of two": (rewardbench2, [], "no rows to score"),
    "subset": (
        rewardbench,
        [SCORED | {"subset": "hep-jav"}],
        "row 0: unknown subset 'hep-jav'; did you mean 'hep-java'?",
    ),
    "no score": (rewardbench, [{"subset": "hep-js", "chosen_score": 1.0}], "row 0: needs 'rejected_score'"),
    "nan": (rewardbench, [SCORED | {"subset": "hep-js", "chosen_score": math.nan}], "'chosen_score' must be a finite"),
    "subset of two": (rewardbench2, [{"subset": "Chat", "scores": [1, 2]}], "unknown subset 'Chat'"),
    "one candidate": (rewardbench2, [{"subset": "Math", "scores": [1]}], "'scores' must be a list of two or more"),
    "text": (rewardbench2, [{"subset": "Math", "scores": "12"}], "'scores' must be a list of two or more"),
    "a candidate of text": (rewardbench2, [{"subset": "Math", "scores": [1, "x"]}], "'scores.1' must be a number"),
    "two correct": (
        rewardbench2,
        [{"subset": "Math", "scores": [1, 2], "num_correct": 2}],
        "row 0: Math has one correct response, got 'num_correct' 2",
    ),
    "too many correct": (ties_score, [TIE | {"num_correct": 3}], "'num_correct' must be from 1 to 2, got 3"),
    "nothing wrong": (ties_score, [TIE | {"num_correct": 2}], "needs a wrong response, got 2 correct ones of 2"),
    "id": (ties_score, [TIE | {"id": "7"}], "'id' must be ref:… or tied:…, got '7'"),
    "id twice": (ties_score, [TIE, TIE], "row 1: the id ref:1 comes twice"),
    "no question in both": (ties_score, [TIE], "Ties needs questions that come as both ref:… and tied:…"),
    "styles": (
        rm_bench,
        [{"score_chosen": [1, 2], "score_rejected": [1, 2, 3]}],
        "'score_chosen' must be a list of three",
    ),
    "no styles": (rm_bench, [], "no rows to score"),
    "label": (judgebench, [{"label": "A=B", "score_A": 1, "score_B": 2}], "unknown label 'A=B'"),
    "three orders": (judgebench, [decided("A>B", "A>B", "A>B", "A>B")], "'judgments' must hold one decision or two"),
    "no scores": (judgebench, [{"label": "A>B", "score_A": 1.0}], "row 0: needs 'score_B'"),
}


@pytest.mark.parametrize(("rule", "rows", "message"), REFUSED.values(), ids=REFUSED)
def test_rows_that_a_rule_cannot_read_are_refused(
    rule: Callable[..., Any], rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(BatchError, match=message):
        rule(rows)


def brute_force(scores: list[int], outcomes: list[float], n: int) -> float:
    """Pick from every draw of n, ties by chance."""
    picked = []
    for draw in itertools.combinations(range(len(scores)), n):
        best = max(scores[at] for at in draw)
        picked.append(np.mean([outcomes[at] for at in draw if scores[at] == best]))
    return float(np.mean(picked))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.25, 1.0])), min_size=1, max_size=7),
    st.integers(1, 7),
)
def test_the_expected_best_is_that_of_all_draws(rows: list[tuple[int, float]], n: int) -> None:
    scores, outcomes = [score for score, _ in rows], [outcome for _, outcome in rows]
    n = min(n, len(rows))
    assert expected_best(scores, outcomes, n) == pytest.approx(brute_force(scores, outcomes, n))


def test_the_expected_best_of_large_groups_neither_overflows_nor_drifts() -> None:
    values = np.arange(5000.0)
    # the expected maximum of n draws from 0 … N - 1 is n (N + 1) / (n + 1) - 1
    for n in (1, 2, 100, 2500, 5000):
        assert expected_best(values, values, n) == pytest.approx(n * 5001 / (n + 1) - 1)


BAD_GROUPS = {
    "n": (([1.0], [1.0], 2), "n must be from 1 to 1, got 2"),
    "zero": (([1.0], [1.0], 0), "n must be from 1 to 1, got 0"),
    "lengths": (([1.0, 2.0], [1.0], 1), r"equally long, got \(2,\) and \(1,\)"),
    "nan": (([math.nan], [1.0], 1), "must be finite"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_GROUPS.values(), ids=BAD_GROUPS)
def test_groups_that_make_no_sense_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expected_best(*arguments)


def test_best_of_n_lies_between_chance_and_the_oracle() -> None:
    random = np.random.default_rng(0)
    groups = []
    for _ in range(200):
        correct = random.random(8) < 0.4
        groups.append((correct + random.normal(size=8), correct.astype(float)))
    found = best_of_n(groups)
    assert [one.n for one in found] == [1, 2, 4, 8]
    assert all(one.groups == 200 for one in found)
    assert found[0].picked == pytest.approx(found[0].random)
    assert found[0].gain is None
    picked = [one.picked for one in found]
    assert picked == sorted(picked)
    for one in found[1:]:
        assert one.random < one.picked < one.oracle
        assert one.gain == pytest.approx((one.picked - one.random) / (one.oracle - one.random))
        assert one.interval is not None
        assert one.interval.low < one.picked < one.interval.high
        assert one.kl == pytest.approx(math.log(one.n) - (one.n - 1) / one.n)


def test_the_interval_of_best_of_n_is_that_of_a_mean_over_groups() -> None:
    outcomes = np.random.default_rng(3).random(400)
    [found] = best_of_n([([0.0], [outcome]) for outcome in outcomes])
    assert found.interval is not None
    error = outcomes.std() / 20
    expected = (outcomes.mean() - 1.96 * error, outcomes.mean() + 1.96 * error)
    assert found.interval == pytest.approx(expected, abs=0.005)


REFUSED_GROUPS: dict[str, tuple[Callable[[], Any], str]] = {
    "none": (lambda: best_of_n([]), "best of n needs groups of responses, got none"),
    "empty": (lambda: best_of_n([([], [])]), "group 0: needs as many scores as outcomes"),
    "lengths": (lambda: best_of_n([([1.0], [1.0, 0.0])]), "group 0: needs as many scores as outcomes"),
    "nan": (lambda: best_of_n([([1.0], [1.0]), ([math.nan], [1.0])]), "group 1: scores and outcomes must be finite"),
    "small": (
        lambda: best_of_n([([1.0, 2.0], [1.0, 0.0]), ([1.0], [1.0])], [1, 2]),
        r"n must be from 1 to 1, the size of group 1; got \[1, 2\]",
    ),
    "row": (lambda: best_of_n_rows([{"scores": [1.0]}]), "row 0: needs 'scores' and 'outcomes'"),
    "score": (lambda: best_of_n_rows([{"scores": ["a"], "correct": [True]}]), "row 0: 'scores' must be a number"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED_GROUPS.values(), ids=REFUSED_GROUPS)
def test_groups_that_cannot_be_read_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(BatchError, match=message):
        call()
