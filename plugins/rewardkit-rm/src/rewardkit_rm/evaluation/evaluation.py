"""What an evaluation of a reward model found: plain figures that go to JSON, to a table, to a page."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from rewardkit_rm.evaluation.bootstrap import Estimate, Interval

__all__ = [
    "Baseline",
    "CalibrationBin",
    "Distribution",
    "Evaluation",
    "Figure",
    "LabelledTies",
    "LengthBias",
    "PairSample",
    "Point",
    "Rating",
    "Reliability",
    "Samples",
    "Slice",
    "SpillOver",
    "Unscored",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Figure(_Model):
    """A figure and its 95 % confidence interval, clustered by prompt; None where it is not defined."""

    value: float | None
    interval: Interval | None = None

    @classmethod
    def of(cls, estimate: Estimate) -> Figure:
        """Take over an estimate."""
        return cls(value=estimate.value, interval=estimate.interval)


class Slice(_Model):
    """A part of the pairs: one domain, or those whose chosen side is longer.

    Attributes:
        name: Which part.
        pairs: Pairs that count: neither unscored nor labelled as a tie.
        score_ties: Pairs whose two scores are exactly equal; they count as wrong.
        accuracy: Share of pairs whose chosen side scores higher.
        mean_margin: Mean of chosen score minus rejected score.
        longer_wins: Accuracy of preferring the longer side, where lengths are known.
        band: What published work calls such an accuracy.
    """

    name: str
    pairs: int
    score_ties: int
    accuracy: Figure
    mean_margin: Figure
    longer_wins: float | None
    band: str


class Baseline(_Model):
    """Another scorer of the same pairs, and how much better the model is, pair by pair.

    Attributes:
        name: ``longer wins``, ``shorter wins``, or the second model.
        pairs: Pairs that both scored.
        accuracy: That of the baseline on these; its ties count as wrong, as the model's do.
        difference: Accuracy of the model minus that of the baseline, on these pairs.
    """

    name: str
    pairs: int
    accuracy: Figure
    difference: Figure


class Distribution(_Model):
    """Mean, spread and histogram of a series of numbers; None without numbers."""

    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    edges: list[float]
    counts: list[int]


class LabelledTies(_Model):
    """Pairs that annotators found equally good; accuracy leaves them out.

    Attributes:
        count: Their number.
        share: Their share of all scored pairs.
        mean_absolute_margin: How far apart the model scores them; small is good.
    """

    count: int
    share: float
    mean_absolute_margin: float | None


class Unscored(_Model):
    """Pairs without two scores, left out of every figure.

    Attributes:
        count: Their number.
        reasons: How many for each of the first reasons met.
        first: Where the first of them stand.
    """

    count: int = 0
    reasons: dict[str, int] = Field(default_factory=dict)
    first: list[str] = Field(default_factory=list)


class Point(_Model):
    """One response of a picture: its length in characters and its score."""

    length: int
    score: float
    chosen: bool


class LengthBias(_Model):
    """Does the reward follow length? Over responses whose length in characters is known.

    Attributes:
        pairs: Pairs with both lengths.
        pearson: Correlation of score and length over all responses.
        pearson_log: The same with ``log(1 + length)``.
        spearman: Rank correlation of score and length; that with the logarithm is the same.
        within_pearson: Within prompts: correlation of margin and difference of lengths, both orders of every pair
            counted, ``sum(m d) / sqrt(sum(m^2) sum(d^2))``. It is what `pearson` becomes once the mean of each pair
            is taken away.
        within_pearson_log: The same with the difference of ``log(1 + length)``.
        within_spearman: Rank correlation of margin and difference of lengths over both orders of every pair.
        accuracy_gap: Accuracy where the chosen side is longer minus accuracy where it is shorter; near 0 is good.
        points: A few responses, for a picture.
    """

    pairs: int
    pearson: Figure
    pearson_log: Figure
    spearman: Figure
    within_pearson: Figure
    within_pearson_log: Figure
    within_spearman: Figure
    accuracy_gap: Figure
    points: list[Point]


class CalibrationBin(_Model):
    """Pairs of about the same confidence: its mean, and the share whose higher-scored side is the better one."""

    low: float
    high: float
    pairs: int
    confidence: float | None
    correct: float | None


class Reliability(_Model):
    """Is ``sigma(margin)`` the probability that it claims to be?

    Attributes:
        ece: Expected calibration error: ``sum_b (n_b / n) |share correct_b - mean confidence_b|`` over ten bins.
        brier: Mean of ``(sigma(margin) - p)^2``; 0.25 is that of no preference.
        nll: Mean of ``-p log sigma(margin) - (1 - p) log sigma(-margin)``; ln 2 is that of no preference.
        temperature: The ``T`` for which ``sigma(margin / T)`` fits these pairs best: above 1 the model is too sure,
            below 1 not sure enough. None where there is none, as when no pair contradicts its margin.
        curve: The bins.
    """

    ece: Figure
    brier: Figure
    nll: Figure
    temperature: float | None
    curve: list[CalibrationBin]


class SpillOver(_Model):
    """Accuracy on pairs of another domain than the model was trained on."""

    name: str
    pairs: int
    score_ties: int
    accuracy: Figure
    longer_wins: float | None
    band: str
    by_domain: list[Slice]
    labelled_ties: LabelledTies
    unscored: Unscored


class Rating(_Model):
    """Spearman's rank correlation of scores with human ratings.

    Attributes:
        name: What was rated.
        responses: Responses with both a score and a rating.
        spearman: The correlation over all of them.
        band: What published work calls such a correlation.
        unscored: Responses without a score.
    """

    name: str
    responses: int
    spearman: Figure
    band: str
    unscored: int = 0


class PairSample(_Model):
    """One pair to look at; its texts are cut, and their control signs escaped."""

    margin: float
    chosen_score: float
    rejected_score: float
    domain: str
    id: str
    where: str
    prompt: str
    chosen: str
    rejected: str


class Samples(_Model):
    """Pairs to look at: those most surely wrong, those closest to a tie, those most surely right."""

    worst: list[PairSample]
    closest: list[PairSample]
    best: list[PairSample]


class Evaluation(_Model):
    """Everything that `evaluate` finds; ``accuracy`` stands first.

    Attributes:
        accuracy: Share of pairs whose chosen side scores higher; exact ties of scores count as wrong. Over all pairs,
            not a mean over batches. None without pairs.
        accuracy_interval: Its 95 % interval, from a bootstrap clustered by prompt.
        accuracy_band: What published work calls such an accuracy.
        accuracy_half_ties: The same with exact ties counted as half right.
        pairs: Pairs that count: neither unscored nor labelled as a tie.
        score_ties: Pairs whose two scores are exactly equal.
        labelled_ties: Pairs that annotators found equally good.
        unscored: Pairs without two scores.
        mean_margin: Mean of chosen score minus rejected score.
        median_margin: Its median; of a sample where ``sampled`` says so.
        margins: How margins are distributed.
        scores: How the scores of both sides are distributed.
        by_domain: By domain, the largest first.
        by_length: Where the chosen side is longer, shorter, equally long, or lengths are unknown.
        baselines: Preferring the longer or the shorter side, and the second model.
        length: How the reward follows length; None where no lengths are known.
        calibration: Whether ``sigma(margin)`` is a probability; None without pairs.
        spill_over: Accuracy on other domains.
        ratings: Rank correlation with human ratings.
        training_accuracy: Accuracy on training pairs, as the model's training card gives it.
        warnings: What a person should know before using the model.
        samples: Pairs to look at.
        sampled: Size of the uniform sample that medians, rank correlations and pictures rest on; None where they
            rest on all pairs.
        replicates: Replicates of the bootstrap.
        seed: Seed of the bootstrap and of the sample.
    """

    accuracy: float | None
    accuracy_interval: Interval | None
    accuracy_band: str
    accuracy_half_ties: Figure
    pairs: int
    score_ties: int
    labelled_ties: LabelledTies
    unscored: Unscored
    mean_margin: Figure
    median_margin: Figure
    margins: Distribution
    scores: Distribution
    by_domain: list[Slice]
    by_length: list[Slice]
    baselines: list[Baseline]
    length: LengthBias | None
    calibration: Reliability | None
    spill_over: list[SpillOver] = Field(default_factory=list)
    ratings: list[Rating] = Field(default_factory=list)
    training_accuracy: float | None = None
    warnings: list[str] = Field(default_factory=list)
    samples: Samples
    sampled: int | None
    replicates: int
    seed: int
