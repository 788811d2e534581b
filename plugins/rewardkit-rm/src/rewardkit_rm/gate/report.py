"""What a gate found: one row for everything that it measured, and the verdict."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from rewardkit_rm.evaluation.evaluation import Figure

__all__ = ["GateReport", "GateRow", "Outcome", "judge", "unsure"]

Outcome = Literal["pass", "fail", "unclear", "not measured"]
"""``unclear``: the interval reaches to both sides of the bound, or there is too little data. It does not pass."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class GateRow(_Model):
    """One thing that was measured."""

    id: str = Field(description="As in accuracy, or stress.rambling.")
    title: str = Field(description="What must hold, in a few words.")
    outcome: Outcome
    measured: str = Field(description="What was found, with its interval and counts.")
    bound: str = Field(description="What must hold, as a number.")
    value: float | None = Field(default=None, description="The figure itself.")
    advice: str = Field(default="", description="What to do where it does not pass.")


class GateReport(_Model):
    """The gate before RL: pass or fail, and why. Its JSON holds the verdict too; reading works it out again."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(description="The folder of the model, or its name.")
    digest: str = Field(description="Digest of its weights.")
    pairs: int = Field(description="Pairs that both sides of which were scored.")
    rows: list[GateRow]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Outcome:
        """``fail`` if any row fails, else ``unclear`` if any is, else ``pass``; rows not measured do not count."""
        outcomes = {row.outcome for row in self.rows}
        return next((outcome for outcome in ("fail", "unclear") if outcome in outcomes), "pass")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """Whether every row that was measured passes."""
        return self.verdict == "pass"

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        return {
            "pass": "Nothing speaks against training on this.",
            "fail": "Do not train on this.",
            "unclear": "Not shown to be good enough to train on; measure with more data.",
        }[self.verdict]

    @property
    def reasons(self) -> list[str]:
        """What fails, one line each; where nothing does, what is unclear."""
        deciding = [row for row in self.rows if row.outcome == self.verdict != "pass"]
        return [f"{row.title}: {row.measured} (must be: {row.bound})" for row in deciding]


def judge(figure: Figure, bound: float, *, strict: bool = True) -> Outcome:
    """Say whether a figure reaches a lower bound, by its 95 % interval.

    Args:
        figure: The figure.
        bound: What it must reach.
        strict: Whether the whole interval must reach the bound to pass; else the figure itself. Either way it fails
            where the whole interval lies below.

    Example:
        >>> from rewardkit_rm.evaluation.bootstrap import Interval
        >>> figure = Figure(value=0.7, interval=Interval(0.6, 0.8))
        >>> judge(figure, 0.65), judge(figure, 0.65, strict=False), judge(figure, 0.85), judge(Figure(value=None), 0.5)
        ('unclear', 'pass', 'fail', 'not measured')
    """
    if figure.value is None:
        return "not measured"
    low, high = figure.interval or (figure.value, figure.value)
    if high < bound:
        return "fail"
    return "pass" if (low if strict else figure.value) >= bound else "unclear"


def unsure(row: GateRow, prompts: int) -> GateRow:
    """Return a row that says neither pass nor fail, because its interval rests on so few prompts."""
    if row.outcome not in ("pass", "fail") or row.id == "unscored":
        return row
    seen = "1 prompt shows" if prompts == 1 else f"{prompts} prompts show"
    return row.model_copy(update={"outcome": "unclear", "advice": f"{seen} nothing: measure on at least 30."})
