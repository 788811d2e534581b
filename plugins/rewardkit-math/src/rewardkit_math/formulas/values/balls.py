r"""Numbers with an error bound, at a precision of any number of bits.

A ball is a real or complex value and ``error``, the log2 of a bound on its distance from the true value; each
operation adds what it rounds off. None stands for a value that is undefined, too large, or not known well enough, such
as the reciprocal of a ball around 0. Principal branches; an odd root of a negative number is real. Where a jump is met,
as in ``\lfloor\sqrt{4}\rfloor``, a value that agrees with an integer to a quarter of the precision is that integer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

from mpmath.ctx_mp import MPContext

__all__ = ["MAX_MAGNITUDE", "Ball", "Balls"]

Ball: TypeAlias = tuple[Any, float]
MAX_MAGNITUDE = 40
"""Most bits of an argument of exp, gamma and the like, and of the bits of a power."""
_MAX_ANGLE = 5_000  # bits before the point of what sin and cos may reduce
_MAX_SHIFT = 64
_MAX_GAMMA = 1_000  # bits: beyond, setting up the series takes long
_MAX_DEGREE = 1_000_000
_EXACT = -math.inf


class Balls:
    """Arithmetic at one precision in bits."""

    def __init__(self, context: MPContext, precision: int) -> None:
        context.prec = precision
        self._context = context
        self._precision = precision
        self._functions: dict[str, Callable[[Ball], Ball | None]] = {
            "sin": self._sine,
            "cos": self._sine_or(context.cos),
            "sinh": self._hyperbolic_or(context.sinh),
            "cosh": self._hyperbolic_or(context.cosh),
            "arcsin": self._arcsine_or(context.asin),
            "arccos": self._arcsine_or(context.acos),
            "arctan": self._arctangent,
            "arcsinh": self._smooth_real(context.asinh),
            "ln": self.logarithm,
            "abs": lambda ball: self._ball(abs(ball[0]), ball[1]),
            "conjugate": lambda ball: self._ball(self._context.conj(ball[0]), ball[1]),
            "re": lambda ball: self._ball(self._context.re(ball[0]), ball[1]),
            "im": lambda ball: self._ball(self._context.im(ball[0]), ball[1]),
            "arg": self._argument,
            "floor": self._rounded_or(context.floor),
            "ceil": self._rounded_or(context.ceil),
            "sign": self._sign,
            "factorial": lambda ball: self._gamma(self.add([ball, self.exact(1)])),
            "gamma": self._gamma,
        }

    def exact(self, x: Fraction | int) -> Ball:
        """Return the ball of a fraction."""
        value = self._context.mpf(x.numerator) / x.denominator
        whole = x.denominator == 1 and x.numerator.bit_length() <= self._precision
        return value, _EXACT if whole else self.magnitude(value) - self._precision + 2

    def constant(self, name: str) -> Ball | None:
        """Return pi, e or i; None for any other name."""
        if name == "i":
            return self._context.mpc(0, 1), _EXACT
        value = {"pi": self._context.pi, "e": self._context.e}.get(name)
        return None if value is None else self._ball(+value, _EXACT)

    def magnitude(self, value: Any) -> float:
        """Return ``m`` with ``2^(m-2) <= |value| < 2^m``; minus infinity for 0."""
        return float(self._context.mag(value)) if value else -math.inf

    def is_real(self, ball: Ball) -> bool:
        """Tell whether the value is on the real axis."""
        return isinstance(ball[0], self._context.mpf)

    def add(self, balls: list[Ball]) -> Ball | None:
        """Return the sum."""
        value, largest = self._context.mpf(0), -math.inf
        for term, error in balls:
            value += term
            largest = max(largest, error, max(self.magnitude(term), self.magnitude(value)) - self._precision)
        return self._ball(value, largest + math.log2(len(balls)) + 1)

    def multiply(self, balls: list[Ball]) -> Ball | None:
        """Return the product."""
        product: Ball | None = balls[0]
        for factor in balls[1:]:
            if product is None:
                return None
            a, b = product, factor
            size_a, size_b = self.magnitude(a[0]), self.magnitude(b[0])
            product = self._ball(a[0] * b[0], max(size_a + b[1], size_b + a[1], a[1] + b[1]) + 2)
        return product

    def power(self, base: Ball, exponent: Fraction) -> Ball | None:
        """Return a power whose exponent is an exact fraction."""
        if exponent.denominator == 1:
            return self._whole_power(base, exponent.numerator)
        if exponent.numerator.bit_length() > MAX_MAGNITUDE:
            return None
        if self.may_be_zero(base):
            size = max(self.magnitude(base[0]), base[1]) + 1
            bound = size * float(exponent) if size > _EXACT else _EXACT
            return (self._context.mpf(0), bound) if exponent > 0 else None
        if exponent.denominator % 2 and self.is_real(base) and base[0] < 0:
            turned = self.power((-base[0], base[1]), exponent)
            return turned and (turned[0] * (-1) ** exponent.numerator, turned[1])
        return self.any_power(base, self.exact(exponent))

    def any_power(self, base: Ball, exponent: Ball) -> Ball | None:
        """Return a power by way of the logarithm; None where the base may be 0."""
        logarithm = self.logarithm(base)
        product = logarithm and self.multiply([exponent, logarithm])
        return product and self.exponential(product)

    def root(self, ball: Ball, degree: int) -> Ball | None:
        """Return the root; of a ball around 0 a larger ball around 0."""
        if degree > _MAX_DEGREE:
            return None
        if self.may_be_zero(ball):
            return self._context.mpf(0), (max(self.magnitude(ball[0]), ball[1]) + 1) / degree
        if self.is_real(ball) and ball[0] < 0 and degree % 2:
            turned = self.root((-ball[0], ball[1]), degree)
            return turned and (-turned[0], turned[1])
        if self._on_cut(ball):
            return None
        value = self._context.root(ball[0], degree)
        return self._ball(value, self.magnitude(value) + ball[1] - self._low(ball) + 1)

    def function(self, name: str, balls: list[Ball]) -> Ball | None:
        """Return a function by name; None if it is unknown."""
        if name in ("max", "min"):
            return self._extreme(name, balls)
        if name == "binomial" and len(balls) == 2:
            return self._binomial(*balls)
        if name == "mod" and len(balls) == 2:
            return self._modulo(*balls)
        compute = self._functions.get(name)
        return compute(balls[0]) if compute and len(balls) == 1 else None

    def exponential(self, ball: Ball) -> Ball | None:
        """Return e to the ball; None beyond `MAX_MAGNITUDE`."""
        if self.magnitude(ball[0]) > MAX_MAGNITUDE or ball[1] > 0:
            return None
        value = self._context.exp(ball[0])
        return self._ball(value, self.magnitude(value) + ball[1] + 2)

    def logarithm(self, ball: Ball) -> Ball | None:
        """Return the principal logarithm; None where the ball may hold 0."""
        if self.may_be_zero(ball) or self._on_cut(ball):
            return None
        return self._ball(self._context.log(ball[0]), ball[1] - self._low(ball) + 1)

    def may_be_zero(self, ball: Ball) -> bool:
        """Tell whether 0 lies in the ball, or close to it."""
        return self._low(ball) <= ball[1] + 1

    def _ball(self, value: Any, error: float) -> Ball | None:
        if not self._context.isfinite(value) or math.isnan(error):
            return None
        if isinstance(value, self._context.mpc) and not value.imag:
            value = value.real
        return value, max(error, self.magnitude(value) - self._precision + 2)

    def _low(self, ball: Ball) -> float:
        """Return the log2 of a lower bound on the size of the value."""
        return self.magnitude(ball[0]) - 2

    def _on_cut(self, ball: Ball) -> bool:
        """Tell whether a complex ball crosses the negative real axis."""
        if self.is_real(ball):
            return False
        return bool(ball[0].real <= 0) and self.magnitude(ball[0].imag) - 1 <= ball[1]

    def _whole_power(self, base: Ball, n: int) -> Ball | None:
        if n < 0:
            return self._reciprocal(base if n == -1 else self._whole_power(base, -n))
        size = max(self.magnitude(base[0]), base[1])
        if n == 0 or n.bit_length() + math.log2(max(size, 1)) > MAX_MAGNITUDE:
            return None
        if self._low(base) <= base[1] + 1 + math.log2(n):
            return self._context.mpf(0), n * (size + 1)
        value = base[0] ** n
        relative = max(base[1] - self._low(base), -self._precision)
        return self._ball(value, self.magnitude(value) + math.log2(n) + relative + 2)

    def _reciprocal(self, ball: Ball | None) -> Ball | None:
        if ball is None or self.may_be_zero(ball):
            return None
        return self._ball(1 / ball[0], ball[1] - 2 * self._low(ball) + 1)

    def _sine(self, ball: Ball) -> Ball | None:
        return self._periodic(self._context.sin, ball)

    def _sine_or(self, compute: Callable[[Any], Any]) -> Callable[[Ball], Ball | None]:
        return lambda ball: self._periodic(compute, ball)

    def _periodic(self, compute: Callable[[Any], Any], ball: Ball) -> Ball | None:
        height = 0.0 if self.is_real(ball) else self.magnitude(ball[0].imag)
        if self.magnitude(ball[0]) > _MAX_ANGLE or height > MAX_MAGNITUDE or ball[1] > 0:
            return None
        growth = 0.0 if self.is_real(ball) else 1.5 * abs(float(ball[0].imag)) + 2
        return self._ball(compute(ball[0]), ball[1] + growth)

    def _hyperbolic_or(self, compute: Callable[[Any], Any]) -> Callable[[Ball], Ball | None]:
        def hyperbolic(ball: Ball) -> Ball | None:
            if self.magnitude(ball[0]) > MAX_MAGNITUDE or ball[1] > 0:
                return None
            growth = 1.5 * abs(float(self._context.re(ball[0]))) + 2
            return self._ball(compute(ball[0]), ball[1] + growth)

        return hyperbolic

    def _arcsine_or(self, compute: Callable[[Any], Any]) -> Callable[[Ball], Ball | None]:
        def arcsine(ball: Ball) -> Ball | None:
            value, error = ball
            slack = 1 - value * value
            low = self.magnitude(slack) - 2
            if low > max(error, -self._precision) + max(self.magnitude(value), 0) + 3:
                outside = not self.is_real(ball) and self.magnitude(value.imag) - 1 <= error
                return None if outside else self._ball(compute(value), error - low / 2 + 2)
            if not self.is_real(ball):
                return None
            return self._ball(compute(self._context.sign(value)), (max(error, -self._precision) + 4) / 2)

        return arcsine

    def _arctangent(self, ball: Ball) -> Ball | None:
        if self.is_real(ball):
            return self._ball(self._context.atan(ball[0]), ball[1])
        low = self.magnitude(1 + ball[0] * ball[0]) - 2
        crosses = self.magnitude(ball[0].real) - 1 <= ball[1]
        if crosses or low <= max(ball[1], -self._precision) + max(self.magnitude(ball[0]), 0) + 3:
            return None
        return self._ball(self._context.atan(ball[0]), ball[1] - low + 1)

    def _smooth_real(self, compute: Callable[[Any], Any]) -> Callable[[Ball], Ball | None]:
        return lambda ball: self._ball(compute(ball[0]), ball[1]) if self.is_real(ball) else None

    def _argument(self, ball: Ball) -> Ball | None:
        logarithm = self.logarithm(ball)
        return logarithm and self._ball(self._context.im(logarithm[0]), logarithm[1])

    def _rounded_or(self, compute: Callable[[Any], Any]) -> Callable[[Ball], Ball | None]:
        def rounded(ball: Ball) -> Ball | None:
            if not self.is_real(ball) or self.magnitude(ball[0]) > self._precision / 2:
                return None
            nearest = self._context.nint(ball[0])
            near = self.magnitude(ball[0] - nearest) - 2 <= ball[1]
            if near and ball[1] > -self._precision / 4:
                return None
            return (nearest if near else compute(ball[0])), _EXACT

        return rounded

    def _sign(self, ball: Ball) -> Ball | None:
        if not self.is_real(ball) or (ball[0] and self.may_be_zero(ball)):
            return None
        return self._context.sign(ball[0]), _EXACT

    def _extreme(self, name: str, balls: list[Ball]) -> Ball | None:
        if not all(self.is_real(ball) for ball in balls):
            return None
        pick = max if name == "max" else min
        return pick(ball[0] for ball in balls), max(ball[1] for ball in balls)

    def _gamma(self, ball: Ball | None) -> Ball | None:
        if ball is None or not self.is_real(ball) or self.magnitude(ball[0]) > MAX_MAGNITUDE or ball[1] > -1:
            return None
        if self._precision > _MAX_GAMMA:
            return None
        if ball[0] < 1:
            return self._gamma_below_one(ball)
        value = self._context.gamma(ball[0])
        return self._ball(value, self.magnitude(value) + ball[1] + math.log2(self.magnitude(ball[0]) + 2) + 1)

    def _gamma_below_one(self, ball: Ball) -> Ball | None:
        steps = int(self._context.ceil(1 - ball[0])) if ball[0] > -_MAX_SHIFT else 0
        shifted = [self.add([ball, self.exact(step)]) for step in range(steps + 1)]
        known = [step for step in shifted if step is not None]
        if not steps or len(known) <= steps:
            return None
        gamma, below = self._gamma(known[-1]), self._reciprocal(self.multiply(known[:-1]))
        return self.multiply([gamma, below]) if gamma and below else None

    def _binomial(self, n: Ball, k: Ball) -> Ball | None:
        rest = self.add([n, (-k[0], k[1])])
        tops = [self._functions["factorial"](ball) for ball in (n, k, rest) if ball is not None]
        if len(tops) < 3 or any(ball is None for ball in tops):
            return None
        below = self._reciprocal(self.multiply([ball for ball in tops[1:] if ball]))
        return self.multiply([tops[0], below]) if tops[0] and below else None

    def _modulo(self, a: Ball, modulus: Ball) -> Ball | None:
        below = self._reciprocal(modulus)
        quotient = below and self.multiply([a, below])
        whole = quotient and self.function("floor", [quotient])
        product = whole and self.multiply([whole, modulus])
        return product and self.add([a, (-product[0], product[1])])
