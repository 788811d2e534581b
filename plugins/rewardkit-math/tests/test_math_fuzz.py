"""A long fuzz of whole verdicts: ``make fuzz``, or ``make fuzz CASES=1000000 SEED=7``.

Formulas of real shapes are damaged and joined at random. Nothing may raise or hang, a verdict must not depend on the
order of the sides, and a text must equal itself.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from rewardkit_math.comparison import compare
from rewardkit_math.outcome import Outcome
from rewardkit_math.policy import Policy
from rewardkit_math.verifier import verify

SEEDS = r"""
\frac{\sqrt{3}}{2} ~ -\frac{17}{4} ~ 3\sqrt{13} ~ 2^{2025}-1 ~ \binom{10}{3} ~ x^2+2x+1 ~ (x-1)(x+2) ~ \frac{x+1}{x-1}
\sin^2 x + \cos 2x ~ \log_2 8 ~ \ln\left(\frac{e}{e-1}\right) ~ e^{i\pi} ~ \frac{1 \pm \sqrt{5}}{2} ~ \tan^{-1} 1
[0, 1) \cup (2, \infty) ~ -4 \le x < 0 ~ \{1, 2, 3\} ~ (3, \frac{\pi}{2}) ~ x = 5 ~ f(x) = 2x + 1 ~ 10^{-21}
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} ~ 12.5\% ~ \$1,234.50 ~ 45^\circ ~ 5 \text{ cm} ~ 1010_2 ~ n! ~ |x - 1|
\lfloor x \rfloor ~ \sum_{k=1}^{n} k^2 ~ 0.\overline{3} ~ \int_0^1 x^2\,dx ~ \text{(B)}
y = -\frac{1}{2}x + \frac{3}{4} ~ 7 \text{ or } 8 ~ \text{no solution} ~ x \in \mathbb{R} \setminus \{0\}
\lim_{x \to 0} \frac{\sin x}{x} ~ \overline{z} + 3i ~ \sqrt[3]{x^2} ~ 3:00 \text{ p.m.}
"""
FORMULAS = [formula.strip() for line in SEEDS.strip().splitlines() for formula in line.split(" ~ ")]
SIGNS = r"( ) [ ] { } \{ \} | , ; = < > + - * / ^ _ ! . $ % ° & ' x 0 9 99999999 e i π ∞ ² \le \ne \in \pm \cup \\"
HEADS = [r"\frac{", r"\sqrt{", r"\text{", r"\begin{pmatrix}", r"\end{pmatrix}", r"\left(", " and ", " or ", "^{9^{9"]
PIECES = [*SIGNS.split(" "), *HEADS]
SLOWEST = 2.0  # CPU seconds for one verdict without sympy; typical ones take a thousandth of a second


def damaged(chance: random.Random) -> str:
    text = chance.choice(FORMULAS)
    for _ in range(chance.randrange(1, 6)):
        at, end = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        match chance.randrange(5):
            case 0:
                text = text[:at] + text[end:]
            case 1:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 2:
                text = text[:at] + chance.choice(FORMULAS) + text[end:]
            case 3:
                text = text[:at] + text[at:end] * chance.randrange(2, 20) + text[end:]
            case _:
                text = text[:at] + chance.choice(PIECES) * chance.randrange(1, 60) + text[at:]
    return text[:3000]


@pytest.mark.slow
def test_no_damaged_formula_raises_hangs_or_is_judged_by_the_order_of_its_sides() -> None:
    chance = random.Random(int(os.environ.get("SEED", "1")))
    for _ in range(int(os.environ.get("CASES", "20000"))):
        one, other = damaged(chance), damaged(chance)
        start = time.process_time()
        there, back = (compare(*pair, Policy(), cpu_seconds=0) for pair in ((one, other), (other, one)))
        verdict = verify(rf"So \boxed{{{one}}}.", other)
        assert time.process_time() - start < SLOWEST, (one, other)
        assert there.equal is back.equal, (one, other)
        assert compare(one, one, Policy(), cpu_seconds=0).equal is not False, one
        assert verdict.score in (0.0, 1.0, None)
        assert (verdict.score == 1.0) == (verdict.outcome is Outcome.CORRECT)
