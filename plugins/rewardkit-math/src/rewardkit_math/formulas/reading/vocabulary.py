r"""The words and signs that formulas are made of, and the one spelling of each."""

from __future__ import annotations

import re
from itertools import pairwise

from rewardkit_math.forms.units import read_unit

__all__ = [
    "ACCENTS",
    "ALIGNED",
    "COMMANDS",
    "DIFFERENTIALS",
    "IGNORED",
    "INVERTIBLE",
    "MATRICES",
    "SCALES",
    "SEVERAL_ARGUMENTS",
    "TEXT_FUNCTIONS",
    "UNICODE",
    "WORDS",
    "is_prose",
    "known_unit",
]

INVERTIBLE = frozenset({"sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "sech", "csch"})
r"""Functions whose power -1 is the inverse function: ``\sin^{-1} x`` is ``\arcsin x``."""

SEVERAL_ARGUMENTS = {
    "gcd": 50, "lcm": 50, "max": 50, "min": 50, "log": 2, "binomial": 2, "mod": 2, "root": 2,
}  # fmt: skip
"""Functions of more than one argument, and how many they take at most."""

_FUNCTIONS = {
    "tan": "tg", "cot": "ctg cotg", "csc": "cosec", "arcsin": "asin", "arccos": "acos", "arctan": "atan arctg",
    "arccot": "acot arcctg", "arcsec": "asec", "arccsc": "acsc", "arcsinh": "asinh arsinh", "arccosh": "acosh arcosh",
    "arctanh": "atanh artanh", "log": "", "lg": "", "ln": "", "exp": "", "abs": "Abs", "floor": "", "ceil": "ceiling",
    "gcd": "", "lcm": "", "max": "Max", "min": "Min", "re": "Re", "im": "Im", "arg": "Arg", "det": "",
    "sign": "sgn", "conjugate": "conj", "factorial": "", "binomial": "binom", "cbrt": "", "Matrix": "",
}  # fmt: skip
_FUNCTION_NAMES = dict(zip(INVERTIBLE, INVERTIBLE, strict=True)) | {
    spelling: name for name, others in _FUNCTIONS.items() for spelling in [name, *others.split()]
}
# "re" and "im" are written with a capital or as a command; re^{i\theta} is r times a power.
_NO_BARE_FUNCTION = frozenset({"re", "im", "tg", "arg", "det", "sgn", "sign", "root", "mod"})

_GREEK_NAMES = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega
Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar
"""
_GREEK = _GREEK_NAMES.split()
_GREEK_LETTERS = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "µ": "mu", "ν": "nu", "ξ": "xi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "φ": "phi", "ϕ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta",
    "Λ": "Lambda", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega", "ℓ": "ell",
}  # fmt: skip

UNICODE = {letter: f"\\{name} " for letter, name in _GREEK_LETTERS.items()} | {
    "−": "-", "–": "-", "⁄": "/", "∕": "/", "×": "*", "·": "*", "⋅": "*", "∙": "*", "∗": "*", "÷": "/", "π": "\\pi ",
    "∞": "\\infty ", "≤": "\\le ", "⩽": "\\le ", "≥": "\\ge ", "⩾": "\\ge ", "≠": "\\ne ", "≈": "\\approx ",
    "≡": "\\equiv ", "±": "\\pm ", "∓": "\\mp ", "√": "\\sqrt ", "∛": "\\sqrt[3] ", "∜": "\\sqrt[4] ", "º": "°",
    "∪": "\\cup ", "∩": "\\cap ", "∖": "\\setminus ", "∈": "\\in ", "∅": "\\emptyset ", "∀": "\\forall ",
    "ℝ": "\\mathbb{R}", "ℚ": "\\mathbb{Q}", "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}", "ℂ": "\\mathbb{C}",
    "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ", "⟨": "\\langle ", "⟩": "\\rangle ",
    "∑": "\\sum ", "∏": "\\prod ", "∫": "\\int ", "…": "\\ldots ", "′": "'", "’": "'", "″": "''", "∣": "|",
    "∠": "\\angle ", "△": "\\triangle ", "。": ".", "、": ",", "¬": "\\neg ",
}  # fmt: skip
"""Characters that stand for a command."""

_MARKS = {
    "*": "** \\cdot \\times \\ast \\cdotp", "/": "\\div", "<": "\\lt", ">": "\\gt", "=": "== := \\coloneqq",
    "<=": "=< \\le \\leq \\leqslant \\leqq", ">=": "\\ge \\geq \\geqslant \\geqq", "!=": "<> \\ne \\neq",
    "~": "\\approx \\simeq \\approxeq \\sim \\thickapprox", "±": "\\pm +- +/-", "∓": "\\mp", "%": "\\%", "$": "\\$",
    "°": "\\degree \\textdegree", "'": "\\prime", "{": "\\bgroup", "}": "\\egroup", "\\{": "\\lbrace",
    "\\}": "\\rbrace", "[": "\\lbrack", "]": "\\rbrack", "|": "\\vert", "|(": "\\lvert", ")|": "\\rvert",
    ":": "\\colon", "...": "\\ldots \\dots \\cdots \\dotsc", "\\setminus": "\\smallsetminus \\backslash",
    "\\emptyset": "\\varnothing", "\\frac": "\\dfrac \\tfrac \\cfrac", "\\binom": "\\dbinom \\tbinom",
    "\\to": "\\rightarrow \\longrightarrow", "\\overline": "", "\\sqrt": "", "\\cup": "", "\\cap": "", "\\in": "",
    "\\equiv": "", "\\pmod": "", "\\bmod": "\\mod", "\\mid": "", "\\langle": "", "\\rangle": "", "\\lfloor": "",
    "\\rfloor": "", "\\lceil": "", "\\rceil": "", "\\over": "", "\\choose": "", "\\sum": "", "\\prod": "", "\\int": "",
    "\\lim": "", "\\angle": "\\measuredangle", "\\triangle": "", "\\forall": "", "¢": "",
}  # fmt: skip
_VARIANTS = {"varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi", "varrho": "rho", "varsigma": "sigma"}

COMMANDS: dict[str, tuple[str, str]] = (
    {spelling: ("mark", mark) for mark, others in _MARKS.items() for spelling in [mark, *others.split()]}
    | {f"\\{name}": ("name", f"\\{name}") for name in _GREEK}
    | {f"\\{name}": ("name", f"\\{other}") for name, other in _VARIANTS.items()}
    | {f"\\{spelling}": ("function", name) for spelling, name in _FUNCTION_NAMES.items() if spelling != "binom"}
    | {f"\\{name}": ("set", name) for name in "RQZNC"}
    | {
        "**": ("mark", "^"),
        "\\lor": ("join", "or"),
        "\\vee": ("join", "or"),
        "\\land": ("join", "and"),
        "\\wedge": ("join", "and"),
        "\\pi": ("constant", "pi"),
        "\\infty": ("constant", "infinity"),
        "\\infin": ("constant", "infinity"),
        "\\imath": ("name", "i"),
        "\\jmath": ("name", "j"),
        "\\Re": ("function", "re"),
        "\\Im": ("function", "im"),
        "\\exponentialE": ("name", "e"),
    }
)
"""Kind and one spelling of every command and sign that has more than its own."""

WORDS: dict[str, tuple[str, str]] = (
    {word: ("function", name) for word, name in _FUNCTION_NAMES.items() if word not in _NO_BARE_FUNCTION}
    | {name: ("name", f"\\{name}") for name in _GREEK if name not in ("ell", "hbar", "Pi", "xi")}
    | dict.fromkeys(("infinity", "Infinity", "infty", "inf", "oo"), ("constant", "infinity"))
    | {"and": ("join", "and"), "or": ("join", "or"), "pi": ("constant", "pi"), "sqrt": ("mark", "\\sqrt")}
)
"""Kind and one spelling of the bare words that are mathematics."""

TEXT_FUNCTIONS = {word: name for word, name in _FUNCTION_NAMES.items() if len(word) > 2 or name == "ln"}
r"""Functions that are written as text: ``\operatorname{arctan}``."""

_IGNORED = r"""
\! \( \) \[ \] \left \right \big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr \Biggl \Biggr \displaystyle
\textstyle \scriptstyle \limits \nolimits \mathbf \boldsymbol \bm \bf \it \rm \mathcal \mathfrak \mathscr \boxed \fbox
\hline \mathop \mathrel \mathbin \ensuremath \nonumber
"""
IGNORED = frozenset(_IGNORED.split())
"""Commands that change only how a formula looks."""

MATRICES = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "smallmatrix", "array"})
ALIGNED = frozenset({"align", "aligned", "gather", "gathered", "equation", "split", "eqnarray"})
"""Environments whose ``&`` only places the lines."""

_ACCENTS = r"\overline \bar \hat \widehat \tilde \widetilde \vec \overrightarrow \dot \ddot \underline"
ACCENTS = frozenset(_ACCENTS.split())

DIFFERENTIALS = frozenset({"dx", "dy", "dz", "dt", "du", "dv"})
SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

_SHORT_WORDS = """
no yes odd all any but for not how now the two six ten one are has its set none true false non nor per day man men boy
box bit lot low
"""
_PROSE = frozenset(_SHORT_WORDS.split())
_VOWEL = re.compile("[aeiouAEIOU]")


def is_prose(word: str) -> bool:
    """Tell whether a bare word is a word of a language rather than a product of letters.

    Words of one or two letters and of capitals are letters; three or more are letters if they have no vowel, if three
    stand in alphabetical order, or if they follow each other in the alphabet.

    >>> [is_prose(word) for word in ("xy", "abc", "mgh", "wxyz", "cat", "even", "no")]
    [False, False, False, False, True, True, True]
    """
    if word.isupper():
        return False
    if word.lower() in _PROSE:
        return True
    if len(word) < 3:
        return False
    if not word.islower():
        return True
    steps = {ord(after) - ord(before) for before, after in pairwise(word)}
    rises = min(steps) > 0 if len(word) == 3 else steps == {1}
    return not rises and _VOWEL.search(word) is not None


def known_unit(word: str, spaced: bool) -> bool:
    """Tell whether a bare word right after a number is a unit."""
    return len(word) > 1 and read_unit(word, bare=True, spaced=spaced) is not None
