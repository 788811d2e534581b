"""Evaluation of scored pairs: one pass over a stream, figures with confidence intervals at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat, zip_longest

from rewardkit.errors import BatchError
from rewardkit_rm.evaluation.bootstrap import PoissonBootstrap
from rewardkit_rm.evaluation.evaluation import Evaluation, Rating, SpillOver
from rewardkit_rm.evaluation.figures import evaluation_of, spill_over_of
from rewardkit_rm.evaluation.scored import ScoredPair
from rewardkit_rm.evaluation.stream import PairStream, batches
from rewardkit_rm.evaluation.warnings import warnings_of

__all__ = ["evaluate"]

_SPILL_OVER_SAMPLE = 1000
_SAME_ORDER = "give the same pairs in the same order"


def evaluate(
    pairs: Iterable[ScoredPair],
    *,
    others: Mapping[str, Iterable[ScoredPair]] | None = None,
    baseline: Iterable[ScoredPair] | None = None,
    baseline_name: str = "baseline",
    ratings: Sequence[Rating] = (),
    training_accuracy: float | None = None,
    replicates: int = 1000,
    seed: int = 0,
    sample: int = 100_000,
    inspect: int = 5,
) -> Evaluation:
    """Evaluate a reward model by the scores that it gave to preference pairs.

    Accuracy is over pairs: ``sum(chosen > rejected) / n``; exact ties of scores count as wrong. Pairs that annotators
    found equally good (``tie``, or a probability of 0.5) and pairs without scores are counted apart. Every interval
    is the 2.5 % to 97.5 % range of a Poisson bootstrap clustered by prompt; differences to baselines are paired.
    Memory does not grow with the number of pairs: medians, rank correlations and pictures rest on a uniform sample
    where there are more pairs than it holds.

    Args:
        pairs: Scored pairs, read once.
        others: Scored pairs of other domains by name: spill-over.
        baseline: The same pairs in the same order, scored by another model.
        baseline_name: What to call that model.
        ratings: Rank correlations with human ratings, from `correlate_ratings`, to report along.
        training_accuracy: Accuracy on training pairs, to warn of overfitting.
        replicates: Replicates of the bootstrap, a multiple of 4.
        seed: Seed of bootstrap and sample.
        sample: Size of the sample.
        inspect: Pairs to keep for looking at, of each kind.

    Raises:
        BatchError: If ``baseline`` holds other pairs.

    Example:
        >>> pairs = [ScoredPair(2.0, 0.5), ScoredPair(0.5, 2.0), ScoredPair(1.0, 0.0), ScoredPair(1.0, 1.0)]
        >>> found = evaluate(pairs)
        >>> found.accuracy, found.score_ties, found.accuracy_half_ties.value, found.mean_margin.value
        (0.5, 1, 0.625, 0.25)
    """
    bootstrap = PoissonBootstrap(replicates, seed)
    stream = PairStream(bootstrap, sample, inspect, seed)
    for batch, other in _with_baseline(pairs, baseline):
        stream.add(batch, other)
    spilled = [_spill_over(name, rows, bootstrap) for name, rows in (others or {}).items()]
    found = evaluation_of(stream, baseline_name, seed)
    update = {"spill_over": spilled, "ratings": list(ratings), "training_accuracy": training_accuracy}
    found = found.model_copy(update=update)
    return found.model_copy(update={"warnings": warnings_of(found, stream)})


def _spill_over(name: str, pairs: Iterable[ScoredPair], bootstrap: PoissonBootstrap) -> SpillOver:
    stream = PairStream(bootstrap, _SPILL_OVER_SAMPLE, inspect=0, seed=0)
    for batch in batches(pairs):
        stream.add(batch)
    return spill_over_of(name, stream)


def _with_baseline(
    pairs: Iterable[ScoredPair], baseline: Iterable[ScoredPair] | None
) -> Iterator[tuple[list[ScoredPair], list[ScoredPair] | None]]:
    if baseline is None:
        yield from zip(batches(pairs), repeat(None))
        return
    for joined in batches(zip_longest(pairs, baseline)):
        for pair, other in joined:
            _check_same(pair, other)
        yield [pair for pair, _ in joined], [other for _, other in joined]


def _check_same(pair: ScoredPair | None, other: ScoredPair | None) -> None:
    if pair is None or other is None:
        there, what = (pair, "has none") if other is None else (other, "is too many")
        where = (there.where if there is not None else "") or "the last pair"
        raise BatchError(f"the baseline holds other pairs: {where} {what}; {_SAME_ORDER}")
    for name, a, b in (("id", pair.id, other.id), ("prompt", pair.prompt, other.prompt)):
        if a and b and a != b:
            raise BatchError(f"{other.where}: another {name} than {pair.where}; {_SAME_ORDER}")
