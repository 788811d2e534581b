"""How numbers, formulas and groups are read: tables, independent spellings, budgets."""

from __future__ import annotations

import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_math.forms.normal import Clock, Expression, Group, Letter, Named, Words, normal_form
from rewardkit_math.forms.number import MAX_DIGITS, MAX_EXPONENT, Number, read_number
from rewardkit_math.forms.surface import MAX_CHARS, canonical, tidy, unwrap
from rewardkit_math.forms.units import read_unit

NUMBERS = {
    "18": 18, "+7": 7, "-5": -5, "- 5": -5, "−5": -5, "–5": -5, "007": 7, "1,234": 1234,
    "1,234,567.5": Fraction("1234567.5"), "1 000": 1000, r"1\,234": 1234, "1{,}030": 1030,
    r"11,\! 111,\! 100": 11111100, r"10,\!080": 10080, ".5": Fraction(1, 2), "5.": 5, "2.50": Fraction(5, 2), "５": 5,
    "３．５": Fraction(7, 2), r"\frac{3}{4}": Fraction(3, 4), r"\frac34": Fraction(3, 4), r"\dfrac 3 4": Fraction(3, 4),
    r"\tfrac3{4}": Fraction(3, 4), r"\frac{3}4": Fraction(3, 4), r"-\frac{1}{2}": Fraction(-1, 2),
    r"\frac{-1}{2}": Fraction(-1, 2), r"\frac{1.5}{3}": Fraction(1, 2), "3/4": Fraction(3, 4),
    "-3 / 4": Fraction(-3, 4), "１/２": Fraction(1, 2), "½": Fraction(1, 2), "72/2": 36, r"1\frac12": Fraction(3, 2),
    r"-4\frac{1}{12}": Fraction(-49, 12), "1 1/2": Fraction(3, 2), "3½": Fraction(7, 2), "３½": Fraction(7, 2),
    r"0.\overline{3}": Fraction(1, 3), r"0.1\overline{6}": Fraction(1, 6), r"1.2\overline{34}": Fraction(611, 495),
    r"1.2\times10^{3}": 1200, r"1.2\cdot 10^{-3}": Fraction(3, 2500), "1.5×10^3": 1500, "1e5": 100000,
    "1E-2": Fraction(1, 100), r"10^{-9}": Fraction(1, 10**9), "10^3": 1000, "2 million": 2000000,
    r"3 \text{ thousand}": 3000, "$42": 42, r"\$1,250": 1250, "-$5": -5, "$-5": -5, "€7": 7, "$42$": 42,
    r"\(42\)": 42, r"\[42\]": 42, "**42**": 42, '"42"': 42, "42.": 42, "42,": 42, ": 42": 42, "= 42": 42, "(42)": 42,
    "{42}": 42, r"\left(42\right)": 42, r"\{42\}": 42, r"\mathbf{81}": 81, r"\text{81}": 81, "16-3=<<16-3=13>>": None,
    "<<16-3=13>>13": 13, "42 = 42": 42, r"\approx 42": 42, "about 42": 42,
    r"\frac{1}{3} \approx 0.333": Fraction(1, 3),
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), [(t, v) for t, v in NUMBERS.items() if v is not None])
def test_a_number_is_read_exactly(text: str, value: Fraction | int) -> None:
    form = normal_form(text)
    assert isinstance(form, Number)
    assert form.value == value


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "4 2", r"4\,2", "12:30", "1/0", r"\frac{1}{0}", r"\frac{1}{}", "--5", "+-5", "-$-5", "1/2/3", "0x10",
        "1_000", "5ab", "5x", "5 x", "5i", r"5\text{i}", r"5\pi", r"\sqrt{5}", "5!", "5^2", "5^{2}", "5'", "5/", "5-",
        "5()", "5%%", "2^{10}", "2**10", r"17 \times 24", "1+1", "3-4", "1..2", "42...", r"42\ldots", "42!", "42?",
        "<42", "|42|", "5 or 6", "5 of 6",
        r"2m \text{ for all } m", r"2 \text{ for all } m", r"2 \text{ for even numbers}",
        "5 times 2", "5 less than 6", "3 quarters", "5 wrong", "not 5", "5 cm 6",
        "5 (or 6)", "2 dozen", "42₈", "4²", "4₂", "٤٢", "4\u200b2", "\u202e24", "42\x00", "1̸", "１٤", r"2\frac{3}{2}",
        "2 3/2", r"4\overline{2}", "1,23", "1,2345", "12,34", "1 23", r"10^{10^{10}}", "1e", "e5", "1e5e5", "1.2.3",
        "[42]",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_number_is_none(text: str) -> None:
    assert not isinstance(normal_form(text), Number)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("12 cm", "cm"), ("12cm", "cm"), ("12 centimeters", "cm"), (r"12\text{ cm}", "cm"),
        (r"12 \mathrm{~cm}^{3}", "cm ^3"), (r"9 \mathrm{~km} / \mathrm{h}", "km / h"), ("9 km per hour", "km / h"),
        (r"5 \text{ m/s}^2", "m / s ^2"), (r"5 \text{ m}^2/\text{s}", "m ^2 / s"), ("90^\\circ", "°"),
        (r"90^{\circ}", "°"), ("90 degrees", "°"), ("90º", "°"), ("$5", "$"), ("5 dollars", "$"), ("$5 dollars", "$"),
        ("$10 per hour", "$ / h"), ("5 eggs per day", "eggs / day"), ("3 apples", "apples"),
        (r"133 \text{ units}", ""), ("10weeks", "week"), (r"3\text{ m}", "m"), ("42", ""),
        (r"20^\circ \text{C}", "° C"), ("12 (cm)", "cm"), ("2 trips a day", "trips a day"),
        ("12 sq. cm", "cm ^2"), (r"12\text{ square feet per second}", "ft ^2 / s"), ("5 cubic inches", "in ^3"),
        (r"9\text{ square units}", "^2"), ("60 miles per hour", "mi / h"), ("60 mph", "mi / h"), ("3/4 cup", "cup"),
    ],
)  # fmt: skip
def test_a_unit_is_read_in_its_shortest_spelling(text: str, unit: str) -> None:
    form = normal_form(text)
    assert isinstance(form, Number)
    assert form.unit == unit


@pytest.mark.parametrize("words", ["", "or 6", "more", "1", "^2", "/ h", "x" * 61, "a day", "pi"])
def test_words_that_are_no_unit_are_none(words: str) -> None:
    assert read_unit(words) is None


@pytest.mark.parametrize(
    "text", [r"50\%", "50%", "50 %", "50 percent", "50 pct", r"\frac{100}{2}\%", r"50 \text{ percent}"]
)
def test_a_percent_sign_is_kept_apart_from_the_value(text: str) -> None:
    form = normal_form(text)
    assert isinstance(form, Number)
    assert (form.value, form.percent, form.unit) == (Fraction(50), True, "")


WHOLE = st.integers(-(10**9), 10**9)


@settings(max_examples=300, deadline=None)
@given(WHOLE, st.integers(1, 10**6))
def test_every_spelling_of_a_fraction_has_its_value(top: int, bottom: int) -> None:
    value = Fraction(top, bottom)
    sign, size = ("-" if top < 0 else ""), abs(top)
    spellings = [
        f"{top}/{bottom}",
        rf"\frac{{{top}}}{{{bottom}}}",
        rf"{sign}\dfrac{{{size}}}{{{bottom}}}",
        rf"$\left( {sign}\tfrac{{{size}}}{{{bottom}}} \right)$.",
        f"x = {top} / {bottom}",
        rf"\frac{{{7 * top}}}{{{7 * bottom}}}",
    ]
    whole, rest = divmod(size, bottom)
    if whole and rest:
        spellings += [f"{sign}{whole} {rest}/{bottom}", rf"{sign}{whole}\frac{{{rest}}}{{{bottom}}}"]
    for spelling in spellings:
        form = normal_form(spelling)
        form = form.form if isinstance(form, Named) else form
        assert isinstance(form, Number), spelling
        assert form.value == value, spelling


@settings(max_examples=300, deadline=None)
@given(st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=4))
def test_every_spelling_of_a_decimal_has_its_value(value: object) -> None:
    expected = Fraction(str(value))
    for spelling in (f"{value:f}", f"{value:,f}", f"${value:,f}$", f"{value:f}\\text{{ cm}}", f"{value:e}"):
        form = normal_form(spelling)
        assert isinstance(form, Number), spelling
        assert form.value == expected, spelling


FORMS = {
    "list": ("1, 2, 3", "1, 2, 3", Group),
    "list with and": (r"7, -2, \text{ and } -5", "7, -2, -5", Group),
    "list with or": ("41 or 42", "41, 42", Group),
    "list with semicolons": ("(1;2); (3;4)", "(1, 2), (3, 4)", Group),
    "hedge": (r"5 \text{ or } 6", "5, 6", Group),
    "one value said twice": (r"0.5 or \frac{1}{2}", "0.5", Number),
    "thousands in a list": ("1,234 and 5,678", "1,234, 5,678", Group),
    "tuple": (r"\left(1,\; 2\right)", "(1, 2)", Group),
    "pair of three digits": ("(100,200)", "(100, 200)", Group),
    "interval": ("[1, 2)", "[1, 2)", Group),
    "set": (r"\{2, 1\}", "{2, 1}", Group),
    "set without escapes": ("{2, 1}", "2, 1", Group),
    "plus or minus": (r"\pm 5", "5, -5", Group),
    "name": ("x = 5", "x = 5", Named),
    "name on the right": ("5 = x", "x = 5", Named),
    "function": (r"f(x) = x^2", "f ( x ) = x ^ 2", Named),
    "subscript": ("a_{12} = 5", "a _ 12 = 5", Named),
    "tuple of names": ("(p, q) = (3, 2)", "( p , q ) = (3, 2)", Named),
    "words as a name": (r"\text{Area} = 5", "A r e a = 5", Named),
    "membership": (r"x \in [1, 2]", "x = [1, 2]", Named),
    "identity": (r"P(x) \equiv 0", "P ( x ) = 0", Named),
    "one name for a list": ("x = 1, x = 2", "x = 1, 2", Named),
    "names in a list": ("a = 1, b = 2", "a = 1, b = 2", Group),
    "about": (r"x \approx 5", "x = 5", Named),
    "choice": ("(B)", "B", Letter),
    "choice as text": (r"\text{B}", "B", Letter),
    "choice with its text": (r"\textbf{(B)}\ 12", "B", Letter),
    "choice with a point": ("C. 12 apples", "C", Letter),
    "variable": ("x", "x", Letter),
    "words": (r"\text{Not Prime}", "not prime", Words),
    "short words": ("No.", "no", Words),
    "time": ("08:34 PM", "8:34 pm", Clock),
    "time without minutes": (r"3 \text{ p.m.}", "3:00 pm", Clock),
    "time with seconds": ("10:15:30", "10:15:30", Clock),
    "time of 24 hours": ("20:34", "20:34", Clock),
    "no such hour": ("25:00", "25 : 00", Expression),
    "no such hour before noon": ("13:00 am", "13 : 00 a m", Expression),
    "ratio": ("1:2", "1 : 2", Expression),
    "number word": ("Seven", "Seven", Number),
    "number word in a list": ("seven, eight", "seven, eight", Group),
    "ordinal": ("5th", "5th", Number),
    "introduction": (r"\text{The solutions are } 1, 2", "1, 2", Group),
    "introduction that denies": (r"\text{No solutions are } 1", "N o s o l u t i o n s a r e 1", Expression),
    "plus or minus in a pair": (r"(0, \pm 2)", r"( 0 , \pm 2 )", Expression),
    "named choice": ("Option C", "C", Letter),
    "yes with words": ("Yes, it is", "yes it is", Words),
    "yes with no": ("Yes, no", "yes, no", Group),
    "symbols with words": (r"x \text{ for all } x", "x f o r a l l x", Expression),
    "words in another script": ("是", "是", Expression),
    "two choices with texts": ("A. 5 B. 6", "A . 5 B . 6", Expression),
    "two choices": ("(A) (B)", "( A ) ( B )", Expression),
    "sides that differ": ("41 = 42", "41 = 42", Expression),
    "sides that differ after a name": ("x = 41 = 42", "x = 41 = 42", Named),
    "a rounding that is none": (r"57 \approx 58", r"57 \approx 58", Expression),
    "inequality": ("x < 5", "x < 5", Expression),
    "no equation": (r"x \neq 5", r"x \ne 5", Expression),
    "negated equation": (r"x \not= 5", r"x \not = 5", Expression),
    "several names on the left": (r"\text{zero and } f(x) = x", "z e r o a n d f ( x ) = x", Expression),
    "root on the left": (r"\sqrt{x} = 5", r"\sqrt x = 5", Expression),
    "product": (r"17 \times 24", r"17 \cdot 24", Expression),
    "unit after a formula": (r"2\sqrt{3} \text{ cm}^2", r"2 \sqrt 3 cm ^2", Expression),
    "empty places in a list": ("1,,2", "1 , , 2", Expression),
    "unbalanced": ("(1, 2", "( 1 , 2", Expression),
    "empty": ("", "", Expression),
}


@pytest.mark.parametrize(("text", "shown", "kind"), FORMS.values(), ids=FORMS.keys())
def test_a_text_is_read_as_its_form(text: str, shown: str, kind: type) -> None:
    form = normal_form(text)
    assert (str(form), type(form)) == (shown, kind)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3x^{2}", r"3 \cdot x^2"),
        (r"\sqrt{2}", "√2"),
        (r"\frac{x+1}{2}", r"\dfrac{x + 1}2"),
        (r"\begin{bmatrix} 1 & 2 \end{bmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}"),
        ("x²", "x^2"),
        ("a₁", "a_1"),
        ("12π", r"12\pi"),
        (r"\left(x+1\right)", "(x + 1)"),
        (r"2^6 * 3^5", "2^6 3^5"),
        (r"\\sqrt{2}", r"\sqrt{2}"),
    ],
)
def test_spellings_of_one_formula_share_their_canonical_text(one: str, other: str) -> None:
    assert canonical(tidy(one)) == canonical(tidy(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("12x", "1 2x"), (r"17 \cdot 24", "17 24"), ("x^{12}", "x^{1}2"), ("10_2", "10_3"), ("xy", "x/y"), ("R", "r")],
)
def test_different_formulas_keep_different_canonical_texts(one: str, other: str) -> None:
    assert canonical(tidy(one)) != canonical(tidy(other))


def test_text_commands_are_unwrapped() -> None:
    assert unwrap(r"x \text{ for all } y \text") == "x for all y"


BUDGETS = {
    "digits": "1" * (MAX_DIGITS + 1),
    "fraction digits": "1/" + "3" * MAX_DIGITS,
    "exponent": f"10^{{{MAX_EXPONENT + 1}}}",
    "negative exponent": f"10^{{-{MAX_EXPONENT + 1}}}",
    "scientific": "1e999999999",
    "exponent with many digits": "1e" + "9" * 500,
    "tower": "9^{9^{9^{9}}}",
    "python power": "10**(10**9)",
    "period": r"0.\overline{" + "1" * MAX_DIGITS + "}",
}


@pytest.mark.parametrize("text", BUDGETS.values(), ids=BUDGETS.keys())
def test_a_number_over_the_budget_is_never_built(text: str) -> None:
    assert read_number(tidy(text)) is None
    assert isinstance(normal_form(text), Expression | Group)


@pytest.mark.parametrize("text", ["1" * MAX_DIGITS, f"1e{MAX_EXPONENT}", f"{'1' * (MAX_DIGITS - 1)}/3"])
def test_a_number_within_the_budget_is_read_under_the_smallest_digit_limit_of_python(text: str) -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        form = normal_form(text)
        assert isinstance(form, Number)
        assert str(form) == text
    finally:
        sys.set_int_max_str_digits(before)


def test_a_long_text_is_only_compared_as_text() -> None:
    form = normal_form("1 " * MAX_CHARS)
    assert isinstance(form, Expression)
    assert form.note == "longer than 1,000 characters: compared as text"


def test_a_text_that_grows_when_it_is_respelled_is_only_compared_as_text() -> None:
    form = normal_form("ﷺ" * 900)
    assert isinstance(form, Expression)
    assert form.note == "too long once respelled: compared as text"


def test_brackets_nested_too_deep_are_only_compared_as_text() -> None:
    form = normal_form("(" * 400 + "1" + ")" * 400)
    assert isinstance(form, Expression)
    assert form.note == "nested deeper than 20: compared as text"
