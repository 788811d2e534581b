"""Charts: well-formed, true to their numbers, and clear about what they cannot draw."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_audit.errors import ReportError
from rewardkit_audit.report.charts import (
    Band,
    Bar,
    CalibrationBin,
    Line,
    Mark,
    bars,
    calibration_curve,
    density,
    histogram,
    histogram_of_counts,
    lines,
)
from rewardkit_audit.report.drawing import fitted, number, text_width
from rewardkit_audit.report.parts import Chart

SVG = "{http://www.w3.org/2000/svg}"
ACCENT, QUIET = "#1f5fa8", "#5c626b"
NAN, INF = float("nan"), float("inf")
numbers = st.floats(-1e150, 1e150)
texts = st.text(st.characters(), max_size=30)


def parsed(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(chart.svg)


def said(chart: Chart) -> list[str]:
    return [element.text or "" for element in parsed(chart).iter(f"{SVG}text")]


def boxes(chart: Chart, colour: str) -> list[tuple[float, float, float, float]]:
    """Return left, right, top and bottom of the filled rectangles of a colour."""
    found = []
    for element in parsed(chart).iter(f"{SVG}path"):
        if element.get("fill") == colour:
            for part in element.attrib["d"].split("M")[1:]:
                values = [float(value) for value in re.findall(r"-?[\d.]+", part)]
                found.append((min(values[::2]), max(values[::2]), min(values[1::2]), max(values[1::2])))
    return found


EVERY = {
    "histogram": histogram([1.0, 2.0, -4.0], title="t", x="x", split=0.0, marks=[Mark(1.0, "one")]),
    "histogram of counts": histogram_of_counts([1, 2], [0.0, 0.5, 1.0], title="t", x="x"),
    "density": density(range(1_000), range(1_000), title="t", x="x", y="y", log_x=True),
    "points": density([1, 2], [1, 2], title="t", x="x", y="y"),
    "calibration": calibration_curve([CalibrationBin(0.7, 0.6, 9, 0.5, 0.7)], title="t"),
    "bars": bars([Bar("a", 0.5, 0.4, 0.6, 9), Bar("b", 0.2, grey=True)], title="t", x="x", bands=[Band("c", 0.6, 0.7)]),
    "lines": lines(
        [Line("a", [1, 2], [1, 2], [0, 1], [2, 3]), Line("b", [1], [1], grey=True)], title="t", x="x", y="y"
    ),
    "nothing": histogram([], title="t", x="x"),
}


@pytest.mark.parametrize("chart", EVERY.values(), ids=EVERY.keys())
def test_a_chart_is_one_svg_element_with_a_description_and_no_fixed_size(chart: Chart) -> None:
    root = parsed(chart)
    assert root.tag == f"{SVG}svg"
    assert (root.get("role"), root.get("aria-label")) == ("img", chart.description)
    assert root.get("width") is root.get("height") is None
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "g", "path", "text", "defs", "use", "clipPath", "rect",
    }  # fmt: skip


@pytest.mark.parametrize("chart", EVERY.values(), ids=EVERY.keys())
def test_every_colour_has_a_class_that_knows_its_dark_twin(chart: Chart) -> None:
    classes = {"#1b1c1f": "ink", QUIET: "quiet", "#d5d8dd": "rule", ACCENT: "accent"}
    for element in parsed(chart).iter():
        for name in ("fill", "stroke"):
            colour = element.get(name, "none")
            assert colour == "none" or f"{name}-{classes[colour]}" in element.attrib["class"].split()


@pytest.mark.parametrize("chart", EVERY.values(), ids=EVERY.keys())
def test_no_id_stands_alone_and_no_style_attribute_is_left(chart: Chart) -> None:
    ids = [element.attrib["id"] for element in parsed(chart).iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    for name in ids:
        assert f"#{name}" in chart.svg
    assert "style" not in chart.svg


def test_heights_of_a_histogram_are_its_counts() -> None:
    found = boxes(histogram_of_counts([1, 2, 4], [0, 1, 2, 4], title="t", x="x"), ACCENT)
    unit = found[0][3] - found[0][2]
    assert [(bottom - top) / unit for _, _, top, bottom in found] == pytest.approx([1, 2, 4], rel=1e-3)
    widths = [right - left for left, right, _, _ in found]
    assert widths[2] / widths[0] == pytest.approx(2, rel=1e-3)


def test_a_histogram_counts_as_numpy_does() -> None:
    values = np.random.default_rng(7).normal(size=500)
    expected, _ = np.histogram(values, bins=30)
    found = boxes(histogram(values, title="t", x="x"), ACCENT)
    unit = max(bottom - top for _, _, top, bottom in found) / expected.max()
    assert [round((bottom - top) / unit) for _, _, top, bottom in found] == expected.tolist()


def test_bins_left_of_the_split_are_grey_and_one_starts_there() -> None:
    values = [-3.0, -1.0, -0.01, 0.0, 0.5, 7.0]
    chart = histogram(values, title="t", x="x", split=0.0)
    grey, accent = (
        [round(bottom - top, 3) for _, _, top, bottom in boxes(chart, colour) if bottom - top > 1]
        for colour in (QUIET, ACCENT)
    )
    assert (len(grey), len(accent)) == (3, 3)


def test_lengths_of_bars_are_their_figures_from_zero_both_ways() -> None:
    chart = bars([Bar("a", 0.5), Bar("b", -0.25), Bar("c", 1.0)], title="t", x="x", limits=(-1, 1))
    (left, right, _, _), (low, high, _, _), (start, end, _, _) = boxes(chart, ACCENT)
    assert right - left == pytest.approx((end - start) / 2, rel=1e-3)
    assert high - low == pytest.approx((end - start) / 4, rel=1e-3)
    assert left == start == pytest.approx(high)


def test_bars_say_their_figures_and_counts() -> None:
    items = [Bar("math", 0.592, 0.56, 0.62, 1294), Bar("rare", 0.0123), Bar("none", 0.0)]
    chart = bars(items, title="t", x="accuracy", percent=True, bands=[Band("floor 65 %", 0.65)], count="pairs")
    assert {"math", "59 %", "1,294", "1.2 %", "0 %", "floor 65 %", "pairs", "accuracy"} <= set(said(chart))
    assert chart.description == "accuracy: math 59 %, rare 1.2 %, none 0 %."


def test_a_hundred_domains_have_a_row_each_and_beyond_two_hundred_the_caption_says_so() -> None:
    hundred = bars([Bar(f"domain {row}", 0.5) for row in range(100)], title="t", x="x")
    assert sum(text.startswith("domain ") for text in said(hundred)) == 100
    more = bars([Bar(f"domain {row}", 0.5) for row in range(1_201)], title="t", x="x", caption="Sorted.")
    assert more.caption == "Sorted. The first 200 of 1,201 are drawn."
    assert sum(text.startswith("domain ") for text in said(more)) == 200


def test_the_points_of_a_calibration_curve_stand_where_they_belong() -> None:
    bins = [CalibrationBin(0.75, 0.75, 3), CalibrationBin(0.0, 0.0, 1), CalibrationBin(1.0, 1.0, 1)]
    chart = calibration_curve([*bins, CalibrationBin(0.5, 0.9, 0)], title="t")
    points = sorted(
        (float(use.attrib["x"]), float(use.attrib["y"]))
        for use in parsed(chart).iter(f"{SVG}use")
        if use.get("fill") == ACCENT
    )
    assert len(points) == 3
    (left, bottom), (x, y), (right, top) = points
    assert (x - left) / (right - left) == pytest.approx(0.75, abs=1e-3)
    assert (bottom - y) / (bottom - top) == pytest.approx(0.75, abs=1e-3)
    assert chart.description.endswith("in 3 bins, predicted to observed: 0.00 to 0.00, 0.75 to 0.75, 1.00 to 1.00.")


def test_calibration_of_the_more_probable_side_starts_at_one_half() -> None:
    assert "0" not in said(calibration_curve([CalibrationBin(0.6, 0.55, 3)], title="t"))
    assert "0" in said(calibration_curve([CalibrationBin(0.4, 0.55, 3)], title="t"))


def test_a_million_points_make_few_paths() -> None:
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 20_000, 1_000_000)
    chart = density(lengths, rng.normal(size=1_000_000), title="t", x="length", y="reward", log_x=True)
    assert len(chart.svg) < 200_000
    assert chart.caption == "Darker: more of the 1,000,000 points."
    assert {"0", "10", "100", "1,000", "10,000", "median"} <= set(said(chart))


def test_few_points_are_drawn_one_by_one() -> None:
    chart = density([1, 5, 9], [1, 2, 3], title="t", x="x", y="y")
    assert sum(use.get("fill") == ACCENT for use in parsed(chart).iter(f"{SVG}use")) == 3
    assert "median" not in said(chart)


def test_lines_are_named_at_their_ends_without_touching() -> None:
    items = [Line(f"model {row}", [1, 2, 4], [0.5, 0.5, 0.5 + row * 1e-4]) for row in range(5)]
    chart = lines([*items, Line("far", [1, 2, 4], [0.1, 0.2, 0.9])], title="t", x="x", y="y", log_x=True)
    heights = sorted(
        float(text.attrib["y"]) for text in parsed(chart).iter(f"{SVG}text") if (text.text or "").startswith("model")
    )
    assert min(np.diff(heights)) >= 14


def test_a_line_without_numbers_is_left_out() -> None:
    chart = lines([Line("empty", [], []), Line("full", [1, 2], [3, 4])], title="t", x="x", y="y")
    assert chart.description == "y against x. full: 3 at 1, 4 at 2."


@pytest.mark.parametrize(
    "chart",
    [
        histogram([], title="t", x="x", caption="c"),
        histogram_of_counts([0, 0], [0, 1, 2], title="t", x="x", caption="c"),
        density([], [], title="t", x="x", y="y", caption="c"),
        calibration_curve([], title="t", caption="c"),
        calibration_curve([CalibrationBin(0.5, 0.5, 0)], title="t", caption="c"),
        bars([], title="t", x="x", caption="c"),
        lines([Line("a", [], [])], title="t", x="x", y="y", caption="c"),
    ],
)
def test_without_numbers_the_picture_says_so(chart: Chart) -> None:
    assert said(chart) == ["There is nothing to show."]
    assert chart.caption == "c"


@pytest.mark.parametrize(
    "values", [[1.0], [0.0], [5.0] * 9, [1e17, 1e17 + 16], [-1e150, 1e150], [1e-300, 2e-300]], ids=str
)
def test_values_without_spread_or_beyond_measure_are_drawn(values: list[float]) -> None:
    for chart in (
        histogram(values, title="t", x="x"),
        density(values, values, title="t", x="x", y="y"),
        lines([Line("a", [1.0], values[:1])], title="t", x="x", y="y", log_x=True),
        bars([Bar("a", value) for value in values], title="t", x="x"),
    ):
        parsed(chart)


def _histogram(**changed: Any) -> Any:
    return lambda: histogram(**({"values": [1.0], "title": "T", "x": "reward"} | changed))


def _line(*rows: Any, **changed: Any) -> Any:
    return lambda: lines([Line("a", *rows)], **({"title": "T", "x": "x", "y": "y"} | changed))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_histogram(values=[1.0, NAN]), "reward: number 1 is nan; leave out what has no number"),
        (_histogram(values=[INF]), "reward: number 0 is inf; leave out"),
        (_histogram(values=[1e200]), "reward: number 0 is 1e+200; leave out"),
        (_histogram(values=["a"]), "reward: expected numbers, got ['a']"),
        (_histogram(values=[[1.0]]), "reward: expected one row of numbers, got shape (1, 1)"),
        (_histogram(marks=[Mark(NAN, "m")]), "marks: number 0 is nan"),
        (_histogram(split=NAN), "split: number 0 is nan"),
        (
            lambda: histogram_of_counts([1], [0, 1, 2], title="T", x="x"),
            "2 numbers for bins between edges, 1 for counts",
        ),
        (
            lambda: histogram_of_counts([-1], [0, 1], title="T", x="x"),
            "counts must not be negative, and edges must rise",
        ),
        (
            lambda: histogram_of_counts([1], [1, 1], title="T", x="x"),
            "counts must not be negative, and edges must rise",
        ),
        (lambda: density([1], [1, 2], title="T", x="x", y="y"), "1 numbers for x, 2 for y"),
        (
            lambda: density([-1], [1], title="T", x="length", y="y", log_x=True),
            "length: a logarithmic axis holds no negative number: -1.0",
        ),
        (lambda: calibration_curve([CalibrationBin(0.5, NAN, 3)], title="T"), "a bin: number 0 is nan"),
        (lambda: calibration_curve([CalibrationBin(1.5, 0.5, 3)], title="T"), "a bin needs shares from 0 to 1 and a"),
        (lambda: calibration_curve([CalibrationBin(0.5, 0.5, -3)], title="T"), "a bin needs shares from 0 to 1 and a"),
        (
            lambda: calibration_curve([CalibrationBin(0.5, 0.5, 3, -0.5, 1)], title="T"),
            "a bin needs shares from 0 to 1",
        ),
        (lambda: bars([Bar("a", NAN)], title="T", x="x"), "'a': number 0 is nan"),
        (lambda: bars([Bar("a", 1, 2)], title="T", x="x"), "'a': an interval needs both ends"),
        (lambda: bars([Bar("a", 1, 2, 1)], title="T", x="x"), "'a': the interval ends (1) before it starts (2)"),
        (
            lambda: bars([Bar("a", 1)], title="T", x="x", limits=(0.5, 1)),
            "bars start at zero, which limits (0.5, 1) do not hold",
        ),
        (lambda: bars([Bar("a", 1)], title="T", x="x", bands=[Band("b", 2, 1)]), "'b': the interval ends (1) before"),
        (_line([1, 2], [1]), "2 numbers for x of 'a', 1 for y"),
        (_line([2, 1], [1, 2]), "'a': x must rise"),
        (_line([0, 1], [1, 2], log_x=True), "'a': x must rise and be above 0"),
        (_line([1], [1], [1]), "'a': intervals need both ends"),
        (_line([1], [NAN]), "'a': number 0 is nan"),
    ],
)
def test_what_no_chart_can_show_is_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ReportError, match=f"^chart 'T': {re.escape(message)}"):
        make()


@settings(max_examples=25)
@given(st.lists(numbers, max_size=30), texts, st.none() | numbers, st.lists(st.tuples(numbers, texts), max_size=2))
def test_any_histogram_is_well_formed(
    values: list[float], text: str, split: float | None, marks: list[tuple[float, str]]
) -> None:
    placed = [Mark(*mark) for mark in marks]
    parsed(histogram(values, title=text, x=text, y=text, marks=placed, split=split, caption=text))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 1e150), numbers), max_size=400), texts, st.booleans())
def test_any_density_is_well_formed(points: list[tuple[float, float]], text: str, log_x: bool) -> None:
    parsed(density([x for x, _ in points], [y for _, y in points], title=text, x=text, y=text, log_x=log_x))


@settings(max_examples=25)
@given(st.lists(st.tuples(texts, st.lists(numbers, min_size=3, max_size=3)), max_size=8), texts, st.booleans())
def test_any_bars_are_well_formed(rows: list[tuple[str, list[float]]], text: str, percent: bool) -> None:
    items = [Bar(label, sorted(found)[1], min(found), max(found), 3) for label, found in rows]
    parsed(bars(items, title=text, x=text, percent=percent, bands=[Band(text, 0.1)], count=text))


@settings(max_examples=25)
@given(st.lists(st.dictionaries(st.floats(1e-9, 1e150), numbers, max_size=5), max_size=4), texts, st.booleans())
def test_any_lines_are_well_formed(found: list[dict[float, float]], text: str, log_x: bool) -> None:
    items = [Line(text, sorted(row), [row[x] for x in sorted(row)]) for row in found]
    parsed(lines(items, title=text, x=text, y=text, log_x=log_x, percent=True))


@given(texts, st.floats(0, 300))
def test_a_fitted_label_is_no_wider_than_its_place(text: str, width: float) -> None:
    label = fitted(text, width)
    assert label == "…" or text_width(label) <= width
    assert "\n" not in label


def test_wide_signs_take_twice_the_place() -> None:
    assert text_width("東京") == 2 * text_width("to")
    assert fitted("東京" * 1_000_000, 50) == "東…京"


@pytest.mark.parametrize(
    ("value", "seen"),
    [(0.0, "0"), (-0.5, "−0.5"), (999_999.0, "999,999"), (1e6, "1e+06"), (1500.5, "1500.5"), (2e-7, "2e−07")],
)
def test_numbers_on_axes_are_short(value: float, seen: str) -> None:
    assert number(value) == seen


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were() -> None:
    before = dict(matplotlib.rcParams)
    histogram([1.0], title="t", x="x")
    assert dict(matplotlib.rcParams) == before
