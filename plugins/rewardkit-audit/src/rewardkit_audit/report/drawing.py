"""From matplotlib to an SVG that stands inside a page: text as text, colours by class, no style attributes."""

from __future__ import annotations

import hashlib
import io
import threading
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rewardkit.cli.screen import figure
from rewardkit_audit.report.text import short, visible

__all__ = [
    "ACCENT",
    "INK",
    "QUIET",
    "RULE",
    "SMALL",
    "WIDTH",
    "Margins",
    "across",
    "draw",
    "fitted",
    "name_axes",
    "number",
    "text_width",
]

INK, QUIET, RULE, ACCENT = "#1b1c1f", "#5c626b", "#d5d8dd", "#1f5fa8"
"""The only colours of a chart. Each becomes a class of the page's style sheet, which knows its dark twin too."""

WIDTH = 480.0
TEXT = 13.0
SMALL = 12.0
LABEL_ROW = 17.0

_DESCRIPTION = 1_000

_CLASSES = {INK: "ink", QUIET: "quiet", RULE: "rule", ACCENT: "accent"}
_METADATA = ("Creator", "Date", "Format", "Type")
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_FONT = "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
_STYLE = {
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "font.size": TEXT,
    "grid.color": RULE,
    "grid.linewidth": 1.0,
    "path.simplify": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "rewardkit",
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": QUIET,
    "xtick.major.size": 0.0,
    "xtick.minor.size": 0.0,
    "ytick.color": QUIET,
    "ytick.major.size": 0.0,
    "ytick.minor.size": 0.0,
}
_lock = threading.Lock()  # matplotlib's settings belong to the process


@dataclass(frozen=True)
class Margins:
    """Space around the axes, in the units of the picture (480 wide)."""

    left: float = 52.0
    right: float = 22.0
    top: float = 26.0
    bottom: float = 46.0


def draw(paint: Callable[[Axes], None], description: str, height: float = 300.0, margins: Margins = Margins()) -> str:
    """Return one ``<svg>`` element; the same calls give the same text, whatever matplotlib's settings are.

    Args:
        paint: Draws on axes that are already styled.
        description: What the picture shows, for those who do not see it.
        height: Of the picture, whose width is 480.
        margins: Space around the axes.
    """
    with _lock, matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the reader's browser has others
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)  # type: ignore[arg-type]  # its keys are a closed set of names
        picture = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        FigureCanvasSVG(picture)
        paint(_axes(picture, height, margins))
        drawn = io.StringIO()
        picture.savefig(drawn, format="svg", transparent=True, metadata=dict.fromkeys(_METADATA))
    return _embedded(drawn.getvalue(), visible(short(description, _DESCRIPTION)))


def _axes(picture: Figure, height: float, margins: Margins) -> Axes:
    width, tall = WIDTH - margins.left - margins.right, height - margins.top - margins.bottom
    axes = picture.add_axes((margins.left / WIDTH, margins.bottom / height, width / WIDTH, tall / height))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y")
    return axes


def name_axes(axes: Axes, x: str, y: str, margins: Margins) -> None:
    """Name both axes: below the middle, and above the left end where it reads without turning the head."""
    axes.set_xlabel(fitted(x, WIDTH), labelpad=6)
    place = {"xy": (0, 1), "xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(fitted(y, WIDTH), xytext=(-margins.left + 4, 8), color=QUIET, **place)  # type: ignore[arg-type]


def across(axes: Axes, labels: Sequence[tuple[float, str]]) -> None:
    """Draw labelled lines up from places on the x axis, each label in a row of its own above the axes."""
    left, right = axes.get_xlim()
    tall = axes.get_window_extent().height
    for row, (at, label) in enumerate(labels, start=1):
        top = 10 + LABEL_ROW * row
        axes.plot([at, at], [0, 1 + top / tall], transform=axes.get_xaxis_transform(), color=INK, lw=1, clip_on=False)
        share = (at - left) / (right - left)
        side = "left" if share < 0.5 else "right"
        text = fitted(label, WIDTH * max(share, 1 - share) * 0.8, SMALL)
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
        nudge = (4 if side == "left" else -4, top)
        axes.annotate(text, (at, 1), nudge, ha=side, fontsize=SMALL, **place)  # type: ignore[arg-type]


def number(value: float) -> str:
    """Return a number as a chart shows it.

    >>> number(-0.25), number(12000.0), number(1e-17)
    ('−0.25', '12,000', '1e−17')
    """
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e6 and value == round(value) else figure(value)
    return text.replace("-", "\N{MINUS SIGN}")


def text_width(text: str, size: float = TEXT) -> float:
    """Return about how wide a text is: 0.56 of its size for each sign, twice that for wide ones."""
    return 0.56 * size * sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def fitted(text: str, width: float, size: float = TEXT) -> str:
    """Cut a label to a width, on one line, its unseen signs made visible.

    It is cut in the middle: names that start alike mostly end differently.

    >>> fitted("instruction-following/natural", 120)
    'instruct…natural'
    """
    most = int(width / text_width("a", size)) + 1
    start, end = (visible(" ".join(part.split())) for part in (text[: 4 * most], text[-4 * most :]))
    if len(text) <= 4 * most and text_width(start, size) <= width:
        return start
    start, end = start[:most], end[-most:]
    while (start or end) and text_width(f"{start}…{end}", size) > width:
        start, end = (start[:-1], end) if len(start) > len(end) else (start, end[1:])
    return f"{start}…{end}"


def _embedded(drawn: str, description: str) -> str:
    """Make matplotlib's file an element of a page: no prolog, no ids but those referred to, colours as classes."""
    root = ElementTree.fromstring(drawn)
    key = f"c{hashlib.sha256(drawn.encode()).hexdigest()[:8]}"
    for parent in root.iter():
        for child in [child for child in parent if child.tag in (f"{_SVG}style", f"{_SVG}metadata")]:
            parent.remove(child)
    referred = {reference for element in root.iter() if (reference := _reference(element))}
    for element in root.iter():
        _clean(element, key, referred)
    root.attrib = {
        "xmlns": _SVG[1:-1],
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": description,
        "font-family": _FONT,
        "stroke-linejoin": "round",
    }
    return ElementTree.tostring(root, encoding="unicode").strip()


def _reference(element: ElementTree.Element) -> str:
    return element.get(_HREF, "").lstrip("#") or element.get("clip-path", "")[5:-1]


def _clean(element: ElementTree.Element, key: str, referred: set[str]) -> None:
    element.tag = element.tag.removeprefix(_SVG)
    element.tail = None
    if element.tag != "text":
        element.text = None
    name = element.attrib.pop("id", "")
    if name in referred:
        element.set("id", f"{key}-{name}")
    if _HREF in element.attrib:
        element.set("href", f"#{key}-{element.attrib.pop(_HREF)[1:]}")
    if "clip-path" in element.attrib:
        element.set("clip-path", f"url(#{key}-{element.attrib['clip-path'][5:-1]})")
    if "d" in element.attrib:
        element.set("d", " ".join(element.attrib["d"].split()))
    _set_style(element, element.attrib.pop("style", ""))


def _set_style(element: ElementTree.Element, style: str) -> None:
    """Turn a style into attributes, which a page may carry whose policy forbids inline styles."""
    classes = []
    for declaration in filter(None, style.split(";")):
        name, value = (part.strip() for part in declaration.split(":", 1))
        if name == "font-family":
            continue
        element.set(name, value.removesuffix("px") if name == "font-size" else value)
        if name in ("fill", "stroke") and value in _CLASSES:
            classes.append(f"{name}-{_CLASSES[value]}")
    if element.tag == "text":
        element.set("xml:space", "preserve")
    if classes:
        element.set("class", " ".join(classes))
