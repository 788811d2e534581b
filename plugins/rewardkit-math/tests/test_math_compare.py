"""Equal, different, undecided: tables under every policy, and what holds of all texts."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rewardkit_math.forms.compare import equal, relative_error, settle
from rewardkit_math.forms.normal import normal_form
from rewardkit_math.forms.number import Number
from rewardkit_math.policy import Policy

EQUAL = [
    ("42", "42.0"), ("1,234", "1234"), ("0.75", r"\frac34"), (r"\frac{72}{2}", "36"), ("1 1/2", "1.5"),
    (r"2\frac58", "2.625"), ("12 cm", "12"), ("12 cm", "12 centimeters"), ("$5", "5 dollars"), (r"90^\circ", "90"),
    (r"2\sqrt3 \text{ cm}", r"2\sqrt{3}"), ("x = 5", "5"), ("5", "5 = x"), ("f(x) = 2x", "2x"),
    (r"x \in [0, 1)", "[0,1)"), ("(p,q) = (3,2)", "(3, 2)"), ("1, 2, 3", "3, 2, 1"), ("1, 2", r"\{2, 1\}"),
    (r"1 \text{ and } 2", "2, 1"), ("(1,2)", "1, 2"), ("1, 1, 2", "2, 1, 1"), ("0.5, 2", r"2, \frac12"),
    ("(1,2), (3,4)", "(3, 4) and (1, 2)"), ("(0.5, 1)", r"(\frac{1}{2}, 1)"), (r"\pm 2", "-2, 2"),
    ("a = 1, b = 2", "b = 2, a = 1"), ("a = 1, b = 2", "1, 2"), ("a = 2, b = -14", "(2, -14)"),
    ("x = 1, x = 2", "2, 1"), ("70,110", "70, 110"), ("27, 54,108", "27, 54, 108"), ("B", "(B)"), ("(b)", "B"),
    (r"\text{(C)}", "C"), (r"\textbf{(C)}\ 12", "C"), (r"\text{Monday}", "monday"), ("No", r"\text{no}"),
    (r"x^2+1", "x^{2} + 1"), (r"\{5\}", "5"), ("(5)", "5"), ("½", "0.5"), (r"0.\overline{3}", "1/3"),
    (r"15 \, \text{km/h}; 15 \text{ km/h}", "15 km/h"), (r"45^\circ, 135^\circ", "135, 45"), ("nan", "nan"),
]  # fmt: skip
DIFFERENT = [
    ("42", "43"), ("100000000001", "100000000002"), ("0.33", "1/3"), ("0", "10^{-9}"), ("1/2", "2/1"), ("5", "-5"),
    ("408", "407.9999"), ("5.0000000000000000001", "5"), ("(1,2)", "(2,1)"), ("[1,2]", "(1,2)"),
    ("[1,2]", "[1,2)"), ("(1,2)", r"\{1,2\}"), ("57, 58", "57"), ("57 or 58", "58"), (r"\{406,407,408\}", "408"),
    ("(5, 6)", "6"), (r"\pm 5", "5"), ("1, 2, 3", "1, 2"), ("1, 1, 2", "1, 2"), ("a = 1, b = 2", "2, 1"), ("A", "B"),
    ("A, B", "A"), ("x", "X"), ("Monday", "Tuesday"), ("Monday", "5"), ("B", "5"), ("n", "5"), ("odd", "oddd"),
]  # fmt: skip
UNDECIDED = [
    (r"17 \times 24", "408"), ("x - x", "0"), ("(x+1)^2", "x^2+2x+1"), (r"\sqrt{4}", "2"), ("2^{10}", "1024"),
    ("12 cm", "12 m"), ("10 cm", "11 feet"), ("41 = 42", "42"), ("x = 41 = 42", "42"), (r"57 \approx 58", "57"), ("x = 5", "y = 5"),
    ("x = 1, x = 2", "y = 1, y = 2"), ("x < 5", r"x \le 5"), (r"1, \sqrt{4}", "1, 2"), (r"2, \sqrt{4}", "1, 2, 2"),
    ("[1,2,3]", "(1,2,3)"), ("1.4", r"\sqrt{2}"), ("10_2", "10_3"), ("abc", "a + b"),
]  # fmt: skip
TABLE = [*((a, b, True) for a, b in EQUAL), *((a, b, None) for a, b in UNDECIDED)]
TABLE += [(a, b, False) for a, b in DIFFERENT]


@pytest.mark.parametrize(("a", "b", "expected"), TABLE, ids=[f"{a} | {b}" for a, b, _ in TABLE])
def test_two_answers_are_settled_the_same_in_either_order(a: str, b: str, expected: bool | None) -> None:
    assert equal(a, b) is expected
    assert equal(b, a) is expected


@pytest.mark.parametrize(
    ("percent", "fifty", "half"), [("either", True, True), ("sign", True, False), ("value", False, True)]
)
def test_the_percent_policy_says_what_fifty_percent_equals(percent: str, fifty: bool, half: bool) -> None:
    policy = Policy(percent=percent)  # type: ignore[arg-type]
    assert equal(r"50\%", "50", policy) is fifty
    assert equal(r"50\%", "0.5", policy) is half
    assert equal("50 percent", r"50\%", policy) is True
    assert equal(r"50\%", "5", policy) is False


def test_required_units_stand_on_both_sides_or_on_none() -> None:
    required = Policy(units="required")
    assert equal("12 cm", "12", required) is None
    assert equal(r"\sqrt{2} \text{ cm}", r"\sqrt{2}", required) is None
    assert equal("12 cm", "12 centimeters", required) is True
    assert equal("12", "12", required) is True


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ("42", "42.0", "the numbers are equal"),
        ("42", "43", "the numbers differ"),
        ("x+1", "x + 1", "the forms are equal"),
        (r"\sqrt{2} \text{ cm}", r"\sqrt{2}", "the formulas are equal"),
        ("2, 1", "1, 2", "all items are equal"),
        ("(B)", "b", "the letters are equal"),
        ("A", "B", "the letters differ"),
        ("yes", "no", "one says yes, one says no"),
        ("Monday", "Tuesday", "the words differ"),
        ("5, 6", "6", "a list of 2 against one number"),
        (r"\{5, 6\}", "yes", "a set of 2 against words"),
        ("(5, 6)", "(5, 6, 7)", "(…) of 2 against (…) of 3"),
        ("[1, 2)", "(1, 2)", "the brackets differ: […) of 2 against (…) of 2"),
        ("B", "5", "one letter against one number"),
        ("x-x", "0", "not settled: needs symbolic comparison"),
        ("41=42", "42", "not settled: the sides of the equation differ"),
        ("12 cm", "12 feet", "not settled: the units differ, cm and ft"),
        ("50%", "50 cm", "not settled: the units differ, % and cm"),
        ("x = 5", "y = 5", "not settled: different names, x and y"),
    ],
)
def test_the_reason_says_why(a: str, b: str, reason: str) -> None:
    assert settle(normal_form(a), normal_form(b)).reason == reason


@pytest.mark.parametrize(
    ("answer", "reference", "error"),
    [
        ("11", "10", Fraction(1, 10)), ("-10", "10", 2), ("10", "-10", 2), ("1/3", "1/2", Fraction(1, 3)),
        ("5", "0", None), ("11 cm", "10", Fraction(1, 10)), ("11 cm", "10 feet", None), ("55%", "0.5", Fraction(1, 10)),
        ("55%", "50", Fraction(1, 10)), ("1e1000", "1e-1000", 10**2000 - 1),
    ],
)  # fmt: skip
def test_the_relative_error_is_exact(answer: str, reference: str, error: Fraction | int | None) -> None:
    one, other = normal_form(answer), normal_form(reference)
    assert isinstance(one, Number)
    assert isinstance(other, Number)
    assert relative_error(one, other) == error


PIECES = r"""
1 2 12 1,234 0.5 50\% x y = \approx \in \pm ( ) [ ] { } \{ \} , ; and or \frac{1}{2} \frac \text{ cm \text{cm} < \cdot
^ _ ^{2} \sqrt A (B) yes - + / $ \ % ½ ² °
"""
TEXTS = st.lists(st.sampled_from([*PIECES.split(), " "]), max_size=14).map("".join) | st.text(max_size=25)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_every_text_equals_itself(text: str) -> None:
    assert equal(text, text) is True


@settings(max_examples=500, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from(["either", "sign", "value"]), st.sampled_from(["optional", "required"]))
def test_the_verdict_is_the_same_in_either_order(a: str, b: str, percent: str, units: str) -> None:
    policy = Policy(percent, units)  # type: ignore[arg-type]
    assert equal(a, b, policy) == equal(b, a, policy)


VALUES = st.fractions(max_denominator=10**6).map(lambda value: f"{value.numerator}/{value.denominator}")


@settings(max_examples=300, deadline=None)
@given(st.lists(VALUES, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_a_list_equals_its_permutations_and_a_tuple_does_not(values: list[str], random: object) -> None:
    shuffled = values[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert equal(", ".join(values), r"\{" + ", ".join(shuffled) + r"\}") is True
    in_order = [Fraction(v) for v in values] == [Fraction(v) for v in shuffled]
    assert equal(f"({', '.join(values)})", f"({', '.join(shuffled)})") is in_order


@settings(max_examples=300, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=5), st.data())
def test_a_changed_value_is_never_equal(values: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    other = data.draw(VALUES)
    changed = [*values[:place], other, *values[place + 1 :]]
    assume(sorted(map(Fraction, changed)) != sorted(map(Fraction, values)))
    assert equal(", ".join(values), ", ".join(changed)) is False
    assert equal(f"({', '.join(values)})", f"({', '.join(changed)})") is False


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, min_size=2, max_size=6, unique_by=Fraction), st.data())
def test_a_hedge_over_several_values_equals_none_of_them(values: list[str], data: st.DataObject) -> None:
    gold = data.draw(st.sampled_from(values))
    for hedge in (", ", r" \text{ or } ", "; ", " or ", " = "):
        assert not equal(hedge.join(values), gold)
