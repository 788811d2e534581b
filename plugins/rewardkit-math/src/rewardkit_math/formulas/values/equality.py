r"""Whether two expressions are equal, and which of two constants is larger.

In this order: the same after sorting and exact arithmetic; equal or different modulo a random prime (see `residue`);
equal or different at random points to more than 50 digits (see `numeric`).

Readings: ``log`` without a base is natural or decimal, the same on both sides, and what makes the sides equal counts.
Symbols that stand where only integers make sense (under a factorial or binomial, as exponent of a negative number, as
bound of a sum; n, m, k and the like also beside pi in a sine) take integer values. Points where a side is undefined
over the real numbers are left out, so ``x^2 / x`` equals ``x``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from random import Random

from rewardkit_math.formulas.session import Session, different, equal, unsettled
from rewardkit_math.formulas.tree import Add, Apply, Big, Constant, Literal, Multiply, Negate, Power, Symbol, Tree
from rewardkit_math.formulas.values.graph import FOREIGN, Graph
from rewardkit_math.formulas.values.numeric import Found, Point, approximation, compare_at, sign_of
from rewardkit_math.formulas.values.points import MAX_POINTS, integer_point, rational_point
from rewardkit_math.formulas.values.residue import agreement
from rewardkit_math.formulas.walk import children, free_symbols, walk
from rewardkit_math.policy import Settlement

__all__ = ["INTEGER_NAMES", "nearest_fraction", "order", "settle_values"]

_ENOUGH = 4
_ENOUGH_WITH_KINKS = 6
_INTEGER_POINTS = 10
INTEGER_NAMES = frozenset({"n", "m", "k", "j", "l", "N", "M", "K"})
"""Names that are read as integers where a formula suggests it."""
_WAVES = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
_COUNTS = frozenset({"factorial", "binomial", "gcd", "lcm"})
_STEPS = frozenset({"floor", "ceil", "mod"})
_KINKS = frozenset({"abs", "floor", "ceil", "sign", "max", "min", "mod", "arcsin", "arccos", "arctan", "arg"})
_COMPLEX = frozenset({"conjugate", "re", "im", "arg"})


def settle_values(a: Tree, b: Tree, session: Session) -> Settlement:
    """Compare two expressions."""
    settled = _read(a, b, session, decimal_log=False)
    if settled.equal is not True and any(_is_bare_log(node) for tree in (a, b) for node in walk(tree)):
        decimal = _read(a, b, session, decimal_log=True)
        return decimal if decimal.equal is not False else settled
    return settled


def order(a: Tree, b: Tree, session: Session) -> int | None:
    """Return -1, 0 or 1 as a real constant is below, equal to, or above another; None where that is not known."""
    graph = Graph()
    difference = graph.add(Add((a, Negate(b))))
    session.spend(graph.steps + 15)
    exactly = graph.value(difference)
    if exactly is not None:
        return (exactly > 0) - (exactly < 0)
    if any(graph.nodes[node].kind in ("symbol", "call", FOREIGN) for node in graph.reachable([difference])):
        return 0 if settle_values(a, b, session).equal else None
    sign = sign_of(graph, difference, session)
    return 0 if sign is None and settle_values(a, b, session).equal else sign


def nearest_fraction(tree: Tree, session: Session) -> Fraction | None:
    """Return the value of a real constant, exactly or to more than 50 digits; None where it has none."""
    graph = Graph()
    node = graph.add(tree)
    session.spend(graph.steps + 1)
    exactly = graph.value(node)
    return approximation(graph, node, session) if exactly is None else exactly


def _is_bare_log(tree: Tree) -> bool:
    return isinstance(tree, Apply) and tree.function == "log" and len(tree.arguments) == 1


def _read(a: Tree, b: Tree, session: Session, decimal_log: bool) -> Settlement:
    graph = Graph(decimal_log)
    imaginary = _complex_symbols(a, b)
    scope = {name: graph.add(_as_complex(name)) for name in imaginary}
    x, y = graph.add(a, scope), graph.add(b, scope)
    session.spend(len(graph.nodes) + graph.steps)
    integers = sorted((_integer_symbols(a) | _integer_symbols(b)) - imaginary)
    if integers and x != y:
        return _at_integers(a, b, integers, session, decimal_log)
    settled = _nodes(graph, x, y, session)
    stepped = sorted((_stepped(a) | _stepped(b)) - imaginary)
    if settled.equal and stepped and x != y:
        # floor(x) + 1 and ceil(x) differ nowhere else.
        steps = _at_integers(a, b, stepped, session, decimal_log)
        return steps if steps.equal is False else settled
    return settled


def _complex_symbols(*trees: Tree) -> set[str]:
    """Return the symbols that may be complex: all beside a conjugate, z and w beside an absolute value."""
    nodes = [node for tree in trees for node in walk(tree)]
    functions = {node.function for node in nodes if isinstance(node, Apply)}
    names = {node.name for node in nodes if isinstance(node, Symbol)}
    if functions & _COMPLEX:
        return names
    return names & {"z", "w"} if "abs" in functions else set()


def _as_complex(name: str) -> Tree:
    """Return ``x + y i`` for a complex symbol, with a second symbol that no text can hold."""
    return Add((Symbol(name), Multiply((Constant("i"), Symbol(f" {name}")))))


def _at_integers(a: Tree, b: Tree, names: list[str], session: Session, decimal_log: bool) -> Settlement:
    random = Random(session.seed + b"integers")
    numbers = [node.value for tree in (a, b) for node in walk(tree) if isinstance(node, Literal)]
    agreed = 0
    for index in range(_INTEGER_POINTS):
        point = integer_point(random, index, names, [number for number in numbers if number < 1_000])
        graph = Graph(decimal_log)
        scope = {name: graph.number(value) for name, value in point.items()}
        x, y = graph.add(a, scope), graph.add(b, scope)
        session.spend(len(graph.nodes) + graph.steps)
        settled = _nodes(graph, x, y, session)
        if settled.equal is False:
            return different(f"differ at {_shown(point)}")
        agreed += settled.equal is True
    if agreed >= _ENOUGH_WITH_KINKS:
        return equal(f"equal at {agreed} points with integer {', '.join(names)}")
    return unsettled(f"too few points with integer {', '.join(names)} where both sides are defined")


def _nodes(graph: Graph, a: int, b: int, session: Session) -> Settlement:
    if a == b:
        exactly = graph.value(a) is not None
        return equal("equal as exact fractions" if exactly else "equal after sorting and exact arithmetic")
    if graph.value(a) is not None and graph.value(b) is not None:
        return different("differ as exact fractions")
    agreed = agreement(graph, a, b, session)
    if agreed.equal is None:
        return unsettled("a side is undefined")
    if agreed.equal:
        return equal("equal as rational functions")
    if agreed.foreign:
        return unsettled(_foreign_reason(graph, a, b))
    if agreed.rational:
        return different("differ as rational functions")
    return _numerically(graph, a, b, session)


def _foreign_reason(graph: Graph, *roots: int) -> str:
    kinds = {str(node.label).split()[0] for x in graph.reachable(roots) if (node := graph.nodes[x]).kind == FOREIGN}
    return f"holds what is not evaluated: {', '.join(sorted(kinds))}"


def _numerically(graph: Graph, a: int, b: int, session: Session) -> Settlement:
    reach = graph.reachable([a, b])
    names = sorted(str(graph.nodes[node].label) for node in reach if graph.nodes[node].kind == "symbol")
    if not names:
        return _constants(compare_at(graph, a, b, {}, session).found)
    numbers = list(_numbers(graph, reach))
    random = Random(session.seed + b"points")
    points = (rational_point(random, index, names, numbers) for index in range(MAX_POINTS))
    imaginary = any(graph.nodes[node].label == "i" for node in reach)
    return _at_points(graph, (a, b), points, session, imaginary, kinked=_has_kinks(graph, reach))


def _constants(found: Found) -> Settlement:
    return {
        Found.EQUAL: equal("equal to more than 50 digits at two precisions"),
        Found.DIFFERENT: different("differ numerically"),
        Found.UNDEFINED: unsettled("undefined or too large to evaluate"),
        Found.UNCERTAIN: unsettled("too close to tell apart", close=True),
    }[found]


def _at_points(
    graph: Graph, pair: tuple[int, int], points: Iterator[Point], session: Session, imaginary: bool, kinked: bool
) -> Settlement:
    """Compare at points; what is not real counts only beside ``i``, or where nothing is real."""
    counts = {(found, real): 0 for found in Found for real in (True, False)}
    enough = _ENOUGH_WITH_KINKS if kinked else _ENOUGH
    for index, point in enumerate(points):
        found, real = compare_at(graph, *pair, point, session)
        counts[found, real or imaginary] += 1
        if found is Found.DIFFERENT and (real or imaginary):
            return different(f"differ at {_shown(point)}")
        if found is Found.UNCERTAIN and counts[found, real] > 1:
            return unsettled(f"too close to tell apart at {_shown(point)}", close=True)
        if not kinked and index >= _ENOUGH and counts[Found.EQUAL, True] >= enough:
            break
    if counts[Found.EQUAL, True] >= enough:
        return equal(f"equal at {counts[Found.EQUAL, True]} random points")
    return _off_the_real_axis(counts[Found.EQUAL, False], counts[Found.DIFFERENT, False], counts[Found.EQUAL, True])


def _off_the_real_axis(agreed: int, disagreed: int, real: int) -> Settlement:
    if agreed >= _ENOUGH and not disagreed:
        return equal(f"equal at {agreed} random points with complex values")
    if disagreed and not real:
        return different("differ at points with complex values")
    return unsettled("too few points where both sides are defined")


def _shown(point: Point) -> str:
    return ", ".join(f"{name} = {float(value):.5g}" for name, value in point.items() if not name.startswith(" "))


def _numbers(graph: Graph, reach: list[int]) -> Iterator[Fraction]:
    """Yield the numbers that are no exponents and of ordinary size."""
    for node in reach:
        kind, _, arguments = graph.nodes[node]
        for argument in arguments[:1] if kind in ("power", "root") else arguments:
            value = graph.value(argument)
            if value is not None and abs(value) < 10**6:
                yield value


def _has_kinks(graph: Graph, reach: list[int]) -> bool:
    """Tell whether agreement on a part of the line may say nothing about the rest: absolute values, even roots."""
    varying: set[int] = set()
    curved: set[int] = set()
    for node in reach:
        kind, _, arguments = graph.nodes[node]
        inside = [argument for argument in arguments if argument in varying]
        if kind in ("symbol", "call") or inside:
            varying.add(node)
        if kind in ("power", "apply") or (kind == "multiply" and len(inside) > 1) or curved.intersection(inside):
            curved.add(node)
        if inside and (_is_kink(graph, node) or (_is_even_root(graph, node) and arguments[0] in curved)):
            return True
    return False


def _is_kink(graph: Graph, node: int) -> bool:
    return graph.nodes[node].kind == "apply" and graph.nodes[node].label in _KINKS


def _is_even_root(graph: Graph, node: int) -> bool:
    kind, _, arguments = graph.nodes[node]
    if kind == "root":
        return True
    exponent = graph.value(arguments[1]) if kind == "power" else None
    return exponent is not None and exponent.denominator % 2 == 0


def _integer_symbols(tree: Tree) -> set[str]:
    names: set[str] = set()
    if not free_symbols(tree):
        return names
    bound = {node.variable for node in walk(tree) if isinstance(node, Big)}
    for node in walk(tree):
        if isinstance(node, Apply) and node.function in _COUNTS:
            names |= free_symbols(node)
        elif isinstance(node, Apply) and (node.function in _STEPS or (node.function in _WAVES and _has_pi(node))):
            names |= free_symbols(node) & INTEGER_NAMES
        elif isinstance(node, Power) and (exponent := free_symbols(node.exponent)):
            if _is_negative(node.base):
                names |= exponent
            elif free_symbols(node.base) or node.base == Constant("e"):
                names |= exponent & INTEGER_NAMES
        elif isinstance(node, Big) and node.operator in ("sum", "product"):
            names |= {name for part in (node.lower, node.upper) if part is not None for name in free_symbols(part)}
    return names - bound


def _stepped(tree: Tree) -> set[str]:
    """Return the symbols under a floor, a ceiling or a modulus."""
    return {
        name
        for node in walk(tree)
        if isinstance(node, Apply) and node.function in _STEPS
        for name in free_symbols(node)
    }


def _has_pi(tree: Tree) -> bool:
    return Constant("pi") in walk(tree)


def _is_negative(tree: Tree) -> bool:
    """Tell whether a base is a negative number."""
    if isinstance(tree, Negate):
        return not free_symbols(tree)
    return any(_is_negative(part) for part in children(tree)) and not free_symbols(tree)
