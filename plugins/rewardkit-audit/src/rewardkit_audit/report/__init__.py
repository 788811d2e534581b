"""The report that every command shares: one HTML file that opens offline, made to be looked at.

Example:
    >>> from rewardkit_audit.report import Fact, Facts, Page, Section, Table, Verdict
    >>> page = Page("Reward model", "1,706 held-out pairs")
    >>> page = page.add(Verdict(False, "Do not train on this.", ["Long rambling beats the brief correct answer."]))
    >>> page = page.add(Facts([Fact("Accuracy", "63.5 %", "95 % interval 61.1 to 65.8")]))
    >>> page = page.add(Section("By domain").add(Table(["domain", "accuracy"], [["math", 0.5919]])))
    >>> page.html().count("<table>")
    1
"""

from rewardkit_audit.report.page import Page
from rewardkit_audit.report.parts import (
    Cell,
    Chart,
    Fact,
    Facts,
    Note,
    Part,
    Sample,
    Samples,
    Section,
    Table,
    Verdict,
)

__all__ = ["Cell", "Chart", "Fact", "Facts", "Note", "Page", "Part", "Sample", "Samples", "Section", "Table", "Verdict"]
