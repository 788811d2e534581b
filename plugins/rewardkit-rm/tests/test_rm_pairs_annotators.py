"""Agreement against figures worked by hand and by scikit-learn, and the pairs that votes make."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_rm.pairs.annotators import agreement, majority
from rewardkit_rm.pairs.fingerprints import text_hash
from rewardkit_rm.pairs.pair import Pair
from sklearn.metrics import cohen_kappa_score

from rewardkit.errors import RewardKitError


def vote(item: int, verdict: str, annotator: str = "", swapped: bool = False) -> Pair:
    """A vote on two sides: ``A`` is the one with the smaller hash."""
    sides = sorted((f"one {item}", f"other {item}"), key=text_hash)
    if verdict == "tie":
        chosen, rejected = sides[::-1] if swapped else sides
        return Pair(f"prompt {item}", chosen, rejected, probability=0.5, tie=True, annotator=annotator)
    chosen, rejected = sides if verdict == "A" else sides[::-1]
    return Pair(f"prompt {item}", chosen, rejected, annotator=annotator)


def votes_of(table: dict[str, str]) -> list[Pair]:
    """Votes of annotators, one letter an item; a dot is no vote."""
    names = {"A": "A", "B": "B", "t": "tie"}
    return [
        vote(item, names[letter], annotator)
        for annotator, letters in table.items()
        for item, letter in enumerate(letters)
        if letter != "."
    ]


def test_cohens_kappa_is_the_one_worked_by_hand() -> None:
    # Both say A on 4 items and B on 2, ann A and bob B on 1, ann B and bob A on 1: p_o = 6/8,
    # p_e = 5/8 * 5/8 + 3/8 * 3/8 = 34/64, kappa = (48 - 34) / (64 - 34) = 14/30.
    found = agreement(votes_of({"ann": "AAAABBAB", "bob": "AAAABBBA"}))
    assert found.observed == pytest.approx(6 / 8)
    assert found.cohen == pytest.approx(14 / 30)


def test_krippendorffs_alpha_takes_missing_votes_as_in_the_published_example() -> None:
    # Coincidences as in Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section A: 4 A with B, 14 A
    # and 6 B: alpha = 1 - 19 * 4 / (14 * 6) = 0.095. Ten more items of one vote each change nothing.
    first, second = "ABAAAAAABA", "BBBAABAAAA"
    table = {"ann": first + "." * 10, "bob": second + "A" * 10}
    assert agreement(votes_of({"ann": first, "bob": second})).krippendorff == pytest.approx(0.095, abs=5e-4)
    assert agreement(votes_of(table)).krippendorff == pytest.approx(0.095, abs=5e-4)


def test_fleiss_kappa_is_the_one_worked_by_hand() -> None:
    # Three annotators, four items: AAA, AAB, BBB, ABt. P_i = 1, 1/3, 1, 0; mean 7/12. Shares A 6/12, B 5/12, t 1/12;
    # P_e = (36 + 25 + 1) / 144 = 62/144. kappa = (84 - 62) / (144 - 62) = 22/82.
    found = agreement(votes_of({"ann": "AABA", "bob": "AABB", "cat": "ABBt"}))
    assert found.fleiss == pytest.approx(22 / 82)
    assert found.fleiss_items == 4
    assert found.cohen is None
    assert found.observed == pytest.approx(7 / 12)


def test_fleiss_counts_the_items_with_the_commonest_number_of_votes() -> None:
    found = agreement(votes_of({"ann": "AABAAB", "bob": "AABBA.", "cat": "ABBt.B"}))
    assert (found.items, found.shared, found.votes, found.fleiss_items) == (6, 6, 16, 4)
    assert found.fleiss == pytest.approx(22 / 82)


verdicts = st.lists(st.tuples(st.sampled_from("ABt"), st.sampled_from("ABt")), min_size=1, max_size=30)


@settings(deadline=None)
@given(verdicts, st.randoms())
def test_cohens_kappa_is_that_of_scikit_learn_in_any_order(both: list[tuple[str, str]], rng: Any) -> None:
    first, second = ("".join(letters) for letters in zip(*both, strict=True))
    votes = votes_of({"ann": first, "bob": second})
    rng.shuffle(votes)
    found = agreement(votes)
    if len(set(first + second)) == 1:
        assert found.cohen is found.fleiss is found.krippendorff is None
        assert found.observed == 1.0
    else:
        assert found.cohen == pytest.approx(cohen_kappa_score(list(first), list(second)))


def test_whose_vote_comes_first_does_not_bend_the_kappa() -> None:
    # Forty items, ann says A on half of them and bob the same three times out of four: kappa 0.5. If the first vote
    # named the sides, ann would say "first" throughout, chance would agree as well, and kappa would be 0.
    letters = "ABBABAABABBABAABBAABABBABAABABBABAABBAAB"
    other = "".join("AB"[letter == "A"] if place % 4 == 0 else letter for place, letter in enumerate(letters))
    ann_first = agreement(votes_of({"ann": letters, "bob": other}))
    bob_first = agreement(votes_of({"bob": other, "ann": letters}))
    assert ann_first.cohen == bob_first.cohen == pytest.approx(0.5, abs=0.02)
    assert ann_first.observed == 0.75


def test_repeated_and_unnamed_votes_are_counted_and_the_last_vote_holds() -> None:
    votes = [vote(0, "A", "ann"), vote(0, "B", "bob"), vote(0, "B", "ann"), vote(0, "A"), vote(1, "A")]
    found = agreement(votes)
    assert (found.items, found.shared, found.votes, found.repeated, found.unnamed) == (2, 1, 2, 1, 2)
    assert found.observed == 1.0


def test_each_annotator_is_compared_with_the_others() -> None:
    found = agreement(votes_of({"ann": "AAtA", "bob": "AAt.", "cat": "BBt.", "dan": "...."}))
    ann, cat = found.annotators["ann"], found.annotators["cat"]
    assert (ann.votes, ann.ties, ann.agreement) == (4, 1, pytest.approx(4 / 6))
    assert (cat.votes, cat.ties, cat.agreement) == (3, 1, pytest.approx(2 / 6))
    assert agreement([vote(0, "A", "ann")]).annotators["ann"].agreement is None


def test_without_any_shared_item_nothing_is_measured() -> None:
    found = agreement(votes_of({"ann": "A.", "bob": ".B"}))
    assert (found.observed, found.cohen, found.fleiss, found.krippendorff, found.shared) == (None, None, None, None, 0)
    assert agreement([]).votes == 0


@pytest.mark.parametrize(
    ("module", "package"), [("statsmodels.stats.inter_rater", "statsmodels"), ("krippendorff", "krippendorff")]
)
def test_a_missing_package_is_named_with_what_installs_it(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RewardKitError, match=rf"agreement needs {package}: pip install 'rewardkit-rm\[agreement\]'"):
        agreement(votes_of({"ann": "AB", "bob": "AA"}))


OUTCOMES = {
    "all for A": ("AAA", ("A", 1.0, False)),
    "most for A": ("AAB", ("A", 2 / 3, False)),
    "most for B": ("ABB", ("B", 2 / 3, False)),
    "a draw": ("AB", (None, 0.5, True)),
    "a draw with a tie": ("ABt", (None, 0.5, True)),
    "one tie": ("t", (None, 0.5, True)),
    "most say tie": ("Att", ("A", 2 / 3, True)),
    "as many ties as votes for A": ("AAtt", ("A", 0.75, False)),
    "B leads the ties": ("BBBt", ("B", 0.875, False)),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_votes_in_any_order_make_one_pair(outcome: str) -> None:
    letters, (side, probability, tie) = OUTCOMES[outcome]
    sides = dict(zip("AB", sorted(("one 0", "other 0"), key=text_hash), strict=True))
    for order in set(itertools.permutations(letters)):
        [pair] = majority(
            [vote(0, {"t": "tie"}.get(letter, letter), swapped=place % 2 == 1) for place, letter in enumerate(order)]
        )
        assert (pair.probability, pair.tie) == (pytest.approx(probability), tie)
        assert side is None or pair.chosen == sides[side]
        assert {pair.chosen, pair.rejected} == set(sides.values())


def test_the_pair_keeps_the_place_of_the_first_vote_and_names_no_annotator() -> None:
    first = Pair("p", "c", "r", annotator="ann", id="1", domain="math", weight=2.0, where="f:1")
    votes = [first, Pair("q", "c", "r", where="f:2"), Pair("p", "r", "c", annotator="bob", where="f:3")]
    pairs = list(majority(vote for vote in votes))
    assert [(pair.where, pair.domain, pair.weight, pair.annotator) for pair in pairs] == [
        ("f:1", "math", 2.0, ""),
        ("f:2", "", 1.0, ""),
    ]


def test_the_last_vote_of_an_annotator_counts_and_every_vote_of_nobody() -> None:
    named = [Pair("p", *sides, annotator="ann") for sides in (("c", "r"), ("r", "c"))]
    assert [(pair.chosen, pair.probability) for pair in majority(named)] == [("r", 1.0)]
    nobody = [Pair("p", *sides) for sides in (("c", "r"), ("r", "c"), ("r", "c"))]
    assert [(pair.chosen, round(pair.probability, 3)) for pair in majority(nobody)] == [("r", 0.667)]


def test_margins_are_averaged_towards_the_chosen_side() -> None:
    votes = [Pair("p", "c", "r", margin=3.0), Pair("p", "r", "c", margin=1.0), Pair("p", "c", "r")]
    [pair] = majority(votes)
    assert (pair.chosen, pair.margin) == ("c", 1.0)
    [turned] = majority([*votes[1:2], *votes[:1], votes[2]])
    assert (turned.chosen, turned.margin) == ("c", 1.0)


def test_soft_votes_count_with_their_probability() -> None:
    [pair] = majority([Pair("p", "c", "r", probability=0.6), Pair("p", "r", "c", probability=0.9)])
    assert (pair.chosen, pair.probability, pair.tie) == ("r", pytest.approx(0.65), False)
