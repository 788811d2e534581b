"""The interval of a share, against scipy and statsmodels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewardkit_audit.wilson import wilson
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(found: tuple[int, int]) -> None:
    passed, n = found
    expected = binomtest(passed, n).proportion_ci(method="wilson")
    assert wilson(passed, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("passed", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_a_share_needs_trials(passed: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"a share needs trials, .*; got {passed} of {n}"):
        wilson(passed, n)


@given(st.floats(0.1, 500), st.floats(0, 1))
def test_trials_that_are_weighted_are_no_whole_number(n: float, share: float) -> None:
    low, high = proportion_confint(share * n, n, alpha=0.05, method="wilson")
    assert wilson(share * n, n) == pytest.approx((low, high), abs=1e-9)
