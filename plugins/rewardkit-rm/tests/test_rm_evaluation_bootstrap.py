"""Confidence intervals: the Poisson bootstrap against the exact one, weighted statistics against written-out lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewardkit_rm.evaluation.bootstrap import Interval, PoissonBootstrap, Sums, cluster_of, interval_of
from rewardkit_rm.evaluation.correlation import (
    median_estimate,
    spearman_estimate,
    weighted_median,
    weighted_spearman,
)
from rewardkit_rm.evaluation.reservoir import Reservoir
from scipy import stats

KEYS = np.array([cluster_of(f"prompt {number}") for number in range(2000)], dtype=np.uint64)


def test_weights_are_poisson_with_mean_one() -> None:
    weights = PoissonBootstrap(1000).weights(KEYS)
    shares = np.bincount(weights.astype(int).ravel(), minlength=9)[:9] / weights.size
    # two million draws: three standard errors of a share are at most 0.0011
    np.testing.assert_allclose(shares, stats.poisson(1).pmf(np.arange(9)), atol=0.0011)


def test_replicates_and_prompts_are_independent_of_each_other() -> None:
    weights = PoissonBootstrap(40).weights(KEYS)
    between = np.asarray(np.corrcoef(weights, rowvar=False))
    # 2,000 prompts: a correlation of independent columns has a standard error of 0.022; 780 pairs of columns
    assert np.abs(between[np.triu_indices(40, 1)]).max() < 0.1
    assert abs(np.corrcoef(weights[:-1].ravel(), weights[1:].ravel())[0, 1]) < 0.015


def test_pairs_of_one_prompt_get_the_same_weights_wherever_they_stand() -> None:
    bootstrap = PoissonBootstrap(100, seed=3)
    whole = bootstrap.weights(KEYS[[0, 1, 0, 2]])
    assert (whole[0] == whole[2]).all()
    assert (bootstrap.weights(KEYS[[2]])[0] == whole[3]).all()
    assert (bootstrap.weights(KEYS[:5], 8, 24) == bootstrap.weights(KEYS[:5])[:, 8:24]).all()


def test_another_seed_draws_other_weights() -> None:
    assert (PoissonBootstrap(100, seed=1).weights(KEYS) != PoissonBootstrap(100, seed=2).weights(KEYS)).any()


@pytest.mark.parametrize("replicates", [0, -4, 2, 1001])
def test_replicates_that_are_no_multiple_of_four_are_refused(replicates: int) -> None:
    with pytest.raises(ValueError, match=f"replicates must be a positive multiple of 4, got {replicates}"):
        PoissonBootstrap(replicates)


def exact_interval(right: np.ndarray, prompts: np.ndarray, replicates: int) -> Interval | None:
    """Draw as many prompts as there are, with replacement, and pool their pairs."""
    random = np.random.default_rng(0)
    count = prompts.max() + 1
    sums, sizes = np.bincount(prompts, weights=right), np.bincount(prompts)
    drawn = random.integers(0, count, (replicates, count))
    return interval_of(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))


@pytest.mark.parametrize("a_prompt", [1, 5], ids=["one pair a prompt", "five alike pairs a prompt"])
def test_the_interval_is_that_of_an_exact_clustered_bootstrap(a_prompt: int) -> None:
    random = np.random.default_rng(1)
    prompts = np.repeat(np.arange(400), a_prompt)
    right = np.repeat(random.random(400) < 0.7, a_prompt).astype(float)
    bootstrap = PoissonBootstrap(2000)
    sums = Sums(bootstrap)
    for part in np.array_split(np.arange(len(right)), 7):
        keys = np.array([cluster_of(str(prompt)) for prompt in prompts[part]], dtype=np.uint64)
        sums.add({"n": np.ones(len(part)), "right": right[part]}, bootstrap.weights(keys))
    found = sums.estimate(lambda s: s["right"] / s["n"])
    exact = exact_interval(right, prompts, 2000)
    assert found.value == right.mean()
    assert found.interval is not None
    assert exact is not None
    # half the width is 0.045; the ends of either scatter by about 0.0016 over seeds
    assert found.interval == pytest.approx(exact, abs=0.007)


def test_a_figure_that_is_not_defined_has_no_interval() -> None:
    sums = Sums(PoissonBootstrap(8))
    assert sums.estimate(lambda s: s["right"] / s["n"]) == (None, None)
    sums.add({"n": np.zeros(3)}, sums.bootstrap.weights(KEYS[:3]))
    assert sums.estimate(lambda s: s["n"] / s["n"]) == (None, None)
    assert interval_of(np.array([np.nan])) is None


counts = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 3)), min_size=1, max_size=12)


@given(counts)
def test_the_weighted_median_is_that_of_the_list_with_repetitions(rows: list[tuple[int, int, int]]) -> None:
    rows.sort()
    values, weights = np.array([row[0] for row in rows], dtype=float), np.array([[row[2]] for row in rows], dtype=float)
    found = weighted_median(values, weights)[0]
    if weights.sum():
        assert found == np.median(np.repeat(values, weights[:, 0].astype(int)))
    else:
        assert np.isnan(found)


@given(counts)
def test_the_weighted_rank_correlation_is_that_of_the_list_with_repetitions(rows: list[tuple[int, int, int]]) -> None:
    x, y, repeats = (np.array(column) for column in zip(*rows, strict=True))
    places = [np.unique(column, return_inverse=True)[1] for column in (x, y)]
    found = weighted_spearman(places[0], places[1], repeats.astype(float))
    longer = [np.repeat(column, repeats) for column in (x, y)]
    if any(len(set(column.tolist())) < 2 for column in longer):
        assert np.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(*longer).statistic, abs=1e-9)


def test_intervals_of_median_and_rank_correlation_are_those_of_scipy() -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=500)
    y = x + random.normal(size=500)
    bootstrap = PoissonBootstrap(2000)
    median, rank = median_estimate(x, KEYS[:500], bootstrap), spearman_estimate(x, y, KEYS[:500], bootstrap)
    options = {"n_resamples": 2000, "method": "percentile", "rng": np.random.default_rng(0)}
    exact = stats.bootstrap((x,), np.median, **options).confidence_interval
    assert median.value == np.median(x)
    # widths of 0.22 and 0.10; both scatter over seeds
    assert median.interval == pytest.approx(tuple(exact), abs=0.05)
    exact = stats.bootstrap(
        (x, y), lambda a, b: stats.spearmanr(a, b).statistic, paired=True, vectorized=False, **options
    ).confidence_interval
    assert rank.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert rank.interval == pytest.approx(tuple(exact), abs=0.02)


def test_a_constant_side_has_no_rank_correlation_and_nothing_has_no_median() -> None:
    bootstrap = PoissonBootstrap(8)
    assert spearman_estimate([1.0, 1.0], [1.0, 2.0], KEYS[:2], bootstrap) == (None, None)
    assert median_estimate(np.zeros(0), KEYS[:0], bootstrap) == (None, None)


def filled(size: int, rows: int, seed: int, batch: int = 100) -> Reservoir:
    sample = Reservoir(size, seed)
    for start in range(0, rows, batch):
        values = np.arange(start, min(start + batch, rows), dtype=float)
        sample.add({"value": values}, values.astype(np.uint64))
    return sample


def test_a_sample_holds_everything_while_it_fits() -> None:
    sample = filled(500, 500, seed=0)
    assert sample.exact
    assert sample["value"].tolist() == list(range(500))
    assert sample.clusters.tolist() == list(range(500))


def test_a_sample_is_uniform_over_the_stream() -> None:
    sample = filled(1000, 20_000, seed=2)
    values = sample["value"]
    assert not sample.exact
    assert len(values) == len(sample) == 1000
    assert (np.diff(values) > 0).all()
    assert (sample.clusters == values.astype(np.uint64)).all()
    # the p-value of a uniform sample is itself uniform: with this seed it is not small
    assert stats.kstest(values, stats.uniform(0, 20_000).cdf).pvalue > 0.01


def test_the_same_seed_gives_the_same_sample_and_another_one_another() -> None:
    assert (filled(100, 5000, seed=1)["value"] == filled(100, 5000, seed=1)["value"]).all()
    assert (filled(100, 5000, seed=1)["value"] != filled(100, 5000, seed=2)["value"]).any()
