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
    ("3:00 p.m.", "3 pm"), ("3:00 PM", "15:00"), (r"08:34 \text{P.M.}", "20:34"), (r"5:05 \text{ PM}", "5:05(PM)"),
    ("12:30 am", "0:30"), ("12 p.m.", "12:00"), ("3 pm", "3"), ("5:05", "5:05 PM"), ("10:15:30", "10:15:30 am"),
    ("seven", "7"), (r"\text{Twelve}", "12"), ("5th", "5"), (r"21^{\text{st}}", "21"), ("Option C", "(C)"),
    ("choice (C)", "C"), ("Option C. 12", "C"), ("C. 12", "12"), (r"(C) \frac{1}{2}", "0.5"), ("Yes", "True"),
    ("no", "False"), ("Yes, it is possible.", "yes"), (r"\text{No, such } n \text{ does not exist}", "No"),
    ("{1, 3}", "(1, 3)"), ("No such integer exists.", "No"), (r"45^\circ \text{ cm}", r"45^\circ"),
    (r"\$10 \text{ per hour}", "$10"),
    ("(n, m) = (2, 4)", "(m, n) = (4, 2)"), ("The answer is 5", "5"), (r"\text{The solutions are } 1, 2", "2, 1"),
    (r"15 \, \text{km/h}; 15 \text{ km/h}", "15 km/h"), (r"45^\circ, 135^\circ", "135, 45"), ("nan", "nan"),
    ("twenty-one", "21"), ("Ninety nine", "99"), ("thirty", "30"), ("B)", "B"), ("no solutions", r"\text{No solution}"),
    (r"\text{an ellipse}", "ellipse"), (r"12\text{ square cm}", r"12\text{ cm}^2"), ("60 mph", "60 miles/hour"),
]  # fmt: skip
DIFFERENT = [
    ("42", "43"), ("100000000001", "100000000002"), ("0.33", "1/3"), ("0", "10^{-9}"), ("1/2", "2/1"), ("5", "-5"),
    ("408", "407.9999"), ("5.0000000000000000001", "5"), ("(1,2)", "(2,1)"), ("[1,2]", "(1,2)"),
    ("[1,2]", "[1,2)"), ("(1,2)", r"\{1,2\}"), ("57, 58", "57"), ("57 or 58", "58"), (r"\{406,407,408\}", "408"),
    ("(5, 6)", "6"), (r"\pm 5", "5"), ("1, 2, 3", "1, 2"), ("1, 1, 2", "1, 2"), ("a = 1, b = 2", "2, 1"), ("A", "B"),
    ("A, B", "A"), ("x", "X"), ("Monday", "Tuesday"), ("Monday", "5"), ("B", "5"), ("n", "5"), ("odd", "oddd"),
    ("3 pm", "3 am"), ("3 pm", "16:00"), ("3:05 pm", "4:05"), ("seven", "8"), ("5th", "6"),
    ("Option C", "D"), ("C. 12", "13"), ("Yes", "False"), ("Yes, it is", "no"), ("Yes or no", "Yes"),
    ("Yes, but only if", "Yes"), ("No, it is true", "No"), (r"\{1, 3\}", "(1, 3)"), ("{3, 1}", "(1, 3)"),
    ("(n, m) = (2, 4)", "(m, n) = (2, 4)"), ("(n, m) = (1, 2)", "(1, 3)"), ("C", "1, 2"), ("12 cm", "13"),
    ("Yes, 5", "Yes"), ("twenty zero", "20"), ("twenty-one", "20"), ("no solutions", "one solution"),
]  # fmt: skip
UNDECIDED = [
    (r"17 \times 24", "408"), ("x - x", "0"), ("(x+1)^2", "x^2+2x+1"), (r"\sqrt{4}", "2"), ("2^{10}", "1024"),
    ("12 cm", "12 m"), ("10 cm", "11 feet"), ("41 = 42", "42"), ("x = 41 = 42", "42"), (r"57 \approx 58", "57"),
    ("x = 5", "y = 5"),
    ("x = 1, x = 2", "y = 1, y = 2"), ("x < 5", r"x \le 5"), (r"1, \sqrt{4}", "1, 2"), (r"2, \sqrt{4}", "1, 2, 2"),
    ("[1,2,3]", "(1,2,3)"), ("1.4", r"\sqrt{2}"), ("10_2", "10_3"), ("abc", "a + b"),
    ("506_7", "506"), ("12 cm", "0.12 m"), ("1:12", "2:24"), ("3:00", "3"), ("3:30 pm", "3"), ("5:05 pm", "x"),
    ("a = b", "b = a"), ("50%, 1", "1, 0.5"), (r"(0, \pm 2)", "(0, 2, -2)"), ("x", "2x - x"),
    (r"x \text{ for all } x", "x"), (r"\{1, \frac{1 \pm \sqrt{3}}{2}\}", "1, 2, 3"), ("5, for x > 2", "5"),
    ("Yes, it is possible", "Yes, such a set exists"), ("(n, n) = (1, 1)", "(n, m) = (1, 1)"),
    ("(n, m) = 5", "(m, n) = 5"),
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


ORDER = {
    "tuple": ("(1, 2)", "(2, 1)", False, True, False),
    "triple": ("(3, 1, 2)", "(1, 2, 3)", False, True, False),
    "tuple against list": ("(1, 2)", "2, 1", False, True, False),
    "interval": ("[1, 2)", "[2, 1)", False, False, False),
    "closed interval": ("[1, 2]", "[2, 1]", False, False, False),
    "list": ("1, 2", "2, 1", True, True, False),
    "set": (r"\{1, 2\}", r"\{2, 1\}", True, True, True),
    "set against list": (r"\{1, 2\}", "2, 1", True, True, True),
    "list of pairs": ("(1, 2), (3, 4)", "(3, 4), (1, 2)", True, True, False),
    "list in order": ("1, 2", "1, 2.0", True, True, True),
    "tuple in order": ("(1, 2)", "(1, 2.0)", True, True, True),
    "names": ("a = 1, b = 2", "b = 2, a = 1", True, True, False),
}


@pytest.mark.parametrize(("a", "b", "brackets", "anyhow", "everywhere"), ORDER.values(), ids=ORDER.keys())
def test_the_order_policy_says_where_order_counts(
    a: str, b: str, brackets: bool, anyhow: bool, everywhere: bool
) -> None:
    assert equal(a, b) is equal(b, a) is brackets
    assert equal(a, b, Policy(order="any")) is equal(b, a, Policy(order="any")) is anyhow
    assert equal(a, b, Policy(order="all")) is equal(b, a, Policy(order="all")) is everywhere


ROUNDED = [
    ("0.333", "1/3", 3, True), ("0.33", "1/3", 3, False), ("0.334", "1/3", 3, False), (r"0.3333", r"\frac13", 3, True),
    ("0.667", "2/3", 3, True), ("0.666", "2/3", 3, False), ("2.0", "1.96", 2, True), ("2", "1.96", 1, False),
    ("0.13", "0.125", 2, True), ("0.12", "0.125", 2, True), ("0.11", "0.125", 2, False), ("-0.333", "-1/3", 3, True),
    ("-0.333", "1/3", 3, False), (r"2.31 \times 10^{-3}", "1/432", 3, True), ("2.31e-3", "1/432", 3, True),
    ("0.00231", "1/432", 3, True), ("0.00231", "1/432", 4, False), (r"33.3\%", "1/3", 3, True),
    ("33.4%", "1/3", 3, False), ("1,234.5", "24691/20", 3, True), ("3.33 cm", "10/3", 3, True),
    ("100", "100.4", 3, False), ("0.0", "1/100", 1, False), (r"3.33 \text{ cm}", "10/3 cm", 3, True),
    ("2.5/3", "0.83", 1, True),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "digits", "expected"), ROUNDED, ids=[f"{a} | {b} | {n}" for a, b, n, _ in ROUNDED])
def test_a_decimal_equals_what_it_rounds_only_under_the_policy(a: str, b: str, digits: int, expected: bool) -> None:
    policy = Policy(rounding=digits)
    assert equal(a, b, policy) is equal(b, a, policy) is expected
    assert equal(a, b) is equal(b, a) is False


def test_rounding_leaves_letters_and_unordered_lists_to_the_formulas() -> None:
    policy = Policy(rounding=3)
    assert equal("e", "2.718", policy) is None
    assert equal("2.718281828", "e") is None
    assert equal("e", "2.718") is False
    assert equal("0.333, 5", "5, 1/3", policy) is True
    assert equal("0.333, 0.1", "1/3, 0.2", policy) is None


def test_times_need_the_half_of_the_day_where_units_are_required() -> None:
    required = Policy(units="required")
    assert equal("5:05", "5:05 pm", required) is None
    assert equal("3", "3 pm", required) is None
    assert equal("3:00 pm", "3 pm", required) is True


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
1 2 12 1,234 0.5 50\% pm 3:05 5th yes, no Option A.
x y = \approx \in \pm ( ) [ ] { } \{ \} , ; and or \frac{1}{2} \frac
\text{ cm \text{cm} < \cdot
^ _ ^{2} \sqrt A (B) yes - + / $ \ % ½ ² °
"""
TEXTS = st.lists(st.sampled_from([*PIECES.split(), " "]), max_size=14).map("".join) | st.text(max_size=25)
POLICIES = st.builds(
    Policy,
    percent=st.sampled_from(["either", "sign", "value"]),
    units=st.sampled_from(["optional", "required"]),
    order=st.sampled_from(["brackets", "any", "all"]),
    rounding=st.none() | st.integers(1, 6),
)


@settings(max_examples=10_000, deadline=None)
@given(TEXTS)
def test_every_text_equals_itself(text: str) -> None:
    assert equal(text, text) is True


@settings(max_examples=10_000, deadline=None)
@given(TEXTS, TEXTS, POLICIES)
def test_the_verdict_is_the_same_in_either_order(a: str, b: str, policy: Policy) -> None:
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


CHOICES = st.integers(0, 10**6)
EXACT = st.fractions(-(10**9), 10**9, max_denominator=10**4)


@settings(max_examples=10_000, deadline=None)
@given(EXACT, EXACT, CHOICES, CHOICES)
def test_equivalent_spellings_stay_equal_and_a_changed_value_never_is(
    value: Fraction, changed: Fraction, first: int, second: int
) -> None:
    one = _spelled(value, first)
    assert equal(one, _spelled(value, second)) is True
    assert equal(one, _spelled(changed, second)) is (value == changed)


def _spelled(value: Fraction, choice: int) -> str:
    """Return one of the spellings of a number that mean it and nothing else, alone or wrapped up."""
    sign, top, bottom = "-" if value < 0 else "", abs(value.numerator), value.denominator
    spellings = [f"{sign}{top}/{bottom}", rf"{sign}\frac{{{top}}}{{{bottom}}}"]
    spellings += [rf"\dfrac{{{sign}{3 * top}}}{{{3 * bottom}}}"]
    if bottom == 1:
        spellings += [f"{sign}{top}", f"{sign}{top}.00", f"{sign}{top:,}".replace(",", "{,}")]
        spellings += [f"{sign}{top}".translate(str.maketrans("0123456789", "０１２３４５６７８９"))]
    whole, rest = divmod(top, bottom)
    if whole and rest:
        spellings += [f"{sign}{whole} {rest}/{bottom}", rf"{sign}{whole}\frac{{{rest}}}{{{bottom}}}"]
    wrappers = ["{}", "${}$", " {} .", "x = {}", "**{}**", r"\text{{The answer is }} {}", r"\left( {} \right)"]
    wrappers += [r"{} \text{{ m}}^2"]
    which, wrapper = divmod(choice, len(wrappers))
    return wrappers[wrapper].format(spellings[which % len(spellings)])


@settings(max_examples=2_000, deadline=None)
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
