"""A page: parts and sections as one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from rewardkit.cli.screen import count
from rewardkit.files.whole import whole_file
from rewardkit_audit.report.parts import Part, Section
from rewardkit_audit.report.text import excerpt, short, shown

__all__ = ["Page"]


class Page:
    """One HTML page that opens offline: no script, and style, fonts and pictures inside.

    Whatever text comes in is escaped, its control and direction signs are made visible, and very long text is cut
    with a word that says so. A Content-Security-Policy forbids the browser to load or run anything. The same parts
    give the same bytes.

    Args:
        title: What the page is about.
        subtitle: One line below: what was measured, on what.

    Example:
        >>> page = Page("Reward model", "held-out pairs")
        >>> page.add(Section("Accuracy").add()).html().startswith("<!DOCTYPE html>")
        True
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self.parts: list[Part | Section] = []

    def add(self, *parts: Part | Section) -> Page:
        """Add parts and sections below the others.

        Charts that follow each other stand side by side where there is room, and so does a table behind a single chart.
        """
        self.parts += parts
        return self

    def html(self) -> str:
        """Return the page as text that UTF-8 holds."""
        style = _resource("page.css")
        return _template().render(page=self, style=Markup(style), style_hash=_hash(style))

    def write(self, path: str | Path) -> None:
        """Write the page: the whole of it or, where that fails, nothing.

        Raises:
            RewardKitError: If the file cannot be written.
        """
        content = self.html().encode()
        with whole_file(path) as file:
            file.write(content)


def _hash(style: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


def _resource(name: str) -> str:
    return resources.files("rewardkit_audit.report").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_finalize, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(count=count, excerpt=excerpt, short=short, runs=_runs)
    return environment.from_string(_resource("page.html"))


def _finalize(value: Any) -> Any:
    """Make every text that the template prints visible and cut; autoescape comes after this."""
    return value if isinstance(value, Markup) else shown(str(value))


def _runs(parts: list[Part]) -> list[tuple[str, list[Part]]]:
    """Return neighbours of the same kind together; a table that follows a single chart stands beside it."""
    found: list[tuple[str, list[Part]]] = []
    for part in parts:
        kinds = [one.kind for one in found[-1][1]] if found else []
        if set(kinds) == {part.kind} or (kinds == ["chart"] and part.kind == "table"):
            found[-1][1].append(part)
        else:
            found.append((part.kind, [part]))
    return found
