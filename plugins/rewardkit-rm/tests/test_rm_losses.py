"""Losses against values worked by hand, finite differences and their limits."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rewardkit_rm.losses import bradley_terry, centering, classification, mean_squared, rao_kupper, soft_label
from scipy.special import expit, log_expit
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
LN2 = math.log(2)
FINITE = st.floats(-50, 50)

LOSSES: dict[str, Loss] = {
    "bradley_terry": bradley_terry,
    "margin": lambda c, r: bradley_terry(c, r, torch.full_like(c, 0.5)),
    "centering": centering,
    "classification": classification,
    "mean_squared": mean_squared,
    "mean_squared_tie": lambda c, r: mean_squared(c, r, torch.ones_like(c, dtype=torch.bool)),
    "soft_label": lambda c, r: soft_label(c, r, torch.full(c.shape, 0.3, dtype=torch.float64)),
    "rao_kupper": lambda c, r: rao_kupper(c, r, torch.zeros_like(c, dtype=torch.bool), 1.5),
    "rao_kupper_tie": lambda c, r: rao_kupper(c, r, torch.ones_like(c, dtype=torch.bool), 1.5),
}
# At scores 2.0 and 0.5, difference 1.5. σ(x) is the logistic function, softplus(x) = ln(1 + e^x).
BY_HAND = {
    "bradley_terry": 0.201413,  # σ(1.5) = 0.817574; -ln 0.817574
    "margin": 0.313262,  # -ln σ(1.0) = -ln 0.731059
    "centering": 6.25,  # 2.5²
    "classification": 0.550502,  # (softplus(-2) + softplus(0.5)) / 2 = (0.126928 + 0.974077) / 2
    "mean_squared": 0.625,  # (1² + 0.5²) / 2
    "mean_squared_tie": 1.125,  # (1.5² + 0²) / 2
    "soft_label": 1.251413,  # 0.3 · 0.201413 + 0.7 · 1.701413
    # e² = 7.389056, e^0.5 = 1.648721, θ = 1.5: the win has 7.389056 / (7.389056 + 2.473082) = 0.749235, and the tie
    # 1.25 · 7.389056 · 1.648721 / (9.862138 · 12.732305) = 0.121274.
    "rao_kupper": 0.288703,
    "rao_kupper_tie": 2.109702,
}


def scores(*values: float, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(values, dtype=dtype)


def loss_of(loss: Loss, chosen: float, rejected: float) -> float:
    return float(loss(scores(chosen), scores(rejected)))


def gradient(loss: Loss, chosen: float, rejected: float, dtype: torch.dtype = torch.float32) -> tuple[float, float]:
    sides = [scores(value, dtype=dtype).requires_grad_() for value in (chosen, rejected)]
    one, other = torch.autograd.grad(loss(*sides).sum(), sides)
    return float(one), float(other)


def test_bradley_terry_of_two_against_a_half_is_as_worked_by_hand() -> None:
    assert float(torch.sigmoid(scores(2.0) - scores(0.5))) == pytest.approx(0.8176, abs=5e-5)
    assert loss_of(bradley_terry, 2.0, 0.5) == pytest.approx(0.2014, abs=5e-5)
    assert loss_of(bradley_terry, 0.5, 2.0) == pytest.approx(1.7014, abs=5e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_at_two_against_a_half_is_as_worked_by_hand(name: str) -> None:
    assert loss_of(LOSSES[name], 2.0, 0.5) == pytest.approx(BY_HAND[name], abs=2e-6)


@pytest.mark.parametrize(("chosen", "rejected"), [(2.0, 0.5), (0.5, 2.0), (0.0, 0.0), (-3.0, 4.0)])
def test_the_gradient_of_bradley_terry_is_the_probability_less_one(chosen: float, rejected: float) -> None:
    up, down = gradient(bradley_terry, chosen, rejected, torch.float64)
    assert up == pytest.approx(expit(chosen - rejected) - 1, rel=1e-12)
    assert down == -up


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    sides = [torch.randn(6, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(2)]
    assert torch.autograd.gradcheck(LOSSES[name], sides, eps=1e-6, atol=1e-7)
    assert torch.autograd.gradgradcheck(LOSSES[name], sides, eps=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "chosen", "rejected", "loss", "gradients"),
    [
        # Far on the right side nothing is left to learn; far on the wrong side the loss is the distance.
        ("bradley_terry", 1000, -1000, 0.0, (0.0, 0.0)),
        ("bradley_terry", -1000, 1000, 2000.0, (-1.0, 1.0)),
        ("margin", -1000, 1000, 2000.5, (-1.0, 1.0)),
        ("classification", 1000, -1000, 0.0, (0.0, 0.0)),
        ("classification", -1000, 1000, 1000.0, (-0.5, 0.5)),
        ("mean_squared", -1000, 1000, (1001**2 + 1000**2) / 2, (-1001.0, 1000.0)),
        ("centering", 1000, 1000, 4e6, (4000.0, 4000.0)),
        ("soft_label", 1000, -1000, 1400.0, (0.7, -0.7)),  # (1 - 0.3) · 2000
        ("soft_label", -1000, 1000, 600.0, (-0.3, 0.3)),
        ("rao_kupper", 1000, -1000, 0.0, (0.0, 0.0)),
        ("rao_kupper", -1000, 1000, 2000 + math.log(1.5), (-1.0, 1.0)),
        # d + η - ln(θ² - 1), η = ln 1.5: the tie is lost to the winner, whichever it is.
        ("rao_kupper_tie", 1000, -1000, 2000 + math.log(1.5) - math.log(1.25), (1.0, -1.0)),
        ("rao_kupper_tie", -1000, 1000, 2000 + math.log(1.5) - math.log(1.25), (-1.0, 1.0)),
    ],
)
def test_scores_of_a_thousand_give_the_limit(
    name: str, chosen: float, rejected: float, loss: float, gradients: tuple[float, float]
) -> None:
    got = LOSSES[name](scores(chosen, dtype=torch.float32), scores(rejected, dtype=torch.float32))
    assert float(got) == pytest.approx(loss, rel=1e-6, abs=1e-30)
    assert gradient(LOSSES[name], chosen, rejected) == pytest.approx(gradients, rel=1e-6, abs=1e-30)


def test_margins_of_a_thousand_give_the_limit() -> None:
    equal = scores(0.0, 0.0, dtype=torch.float32).requires_grad_()
    loss = bradley_terry(equal, torch.zeros(2), torch.tensor([1000.0, -1000.0]))
    assert loss.tolist() == [1000.0, 0.0]
    assert torch.autograd.grad(loss.sum(), equal)[0].tolist() == [-1.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_computed_in_float32_whatever_the_scores_are(name: str, dtype: torch.dtype) -> None:
    # 2.0 and 0.5 are exact in every type; in bfloat16 the loss itself would be off by up to 0.4 %.
    got = LOSSES[name](scores(2.0, 0.5, dtype=dtype), scores(0.5, 2.0, dtype=dtype))
    assert (got.dtype, got.shape) == (torch.float32, (2,))
    assert float(got[0]) == pytest.approx(BY_HAND[name], abs=2e-6)


def test_float16_scores_do_not_overflow_where_they_are_squared() -> None:
    assert float(centering(scores(1000, dtype=torch.float16), scores(1000, dtype=torch.float16))) == 4e6


def test_a_margin_in_bfloat16_is_subtracted_in_float32() -> None:
    got = bradley_terry(scores(256.0, dtype=torch.bfloat16), scores(0.0, dtype=torch.bfloat16), torch.tensor([255.5]))
    assert float(got) == pytest.approx(-log_expit(0.5), rel=1e-6)


@given(chosen=FINITE, rejected=FINITE)
def test_bradley_terry_agrees_with_scipy(chosen: float, rejected: float) -> None:
    assert loss_of(bradley_terry, chosen, rejected) == pytest.approx(
        -log_expit(chosen - rejected), rel=1e-9, abs=1e-300
    )


@given(chosen=FINITE, rejected=FINITE, probability=st.floats(0, 1))
def test_soft_labels_are_cross_entropies(chosen: float, rejected: float, probability: float) -> None:
    expected = -probability * log_expit(chosen - rejected) - (1 - probability) * log_expit(rejected - chosen)
    got = soft_label(scores(chosen), scores(rejected), scores(probability))
    assert float(got) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(chosen=FINITE, rejected=FINITE)
def test_a_sure_soft_label_is_bradley_terry(chosen: float, rejected: float) -> None:
    one, other = scores(chosen), scores(rejected)
    assert torch.allclose(soft_label(one, other, torch.ones_like(one)), bradley_terry(one, other))


def test_a_soft_label_is_least_where_the_model_says_the_same() -> None:
    # σ(d) = p: d = ln(p / (1 - p)) = ln 4 for p = 0.8; there the gradient is 0 and the loss is the entropy 0.5004.
    loss: Loss = lambda c, r: soft_label(c, r, torch.full_like(c, 0.8))  # noqa: E731
    assert gradient(loss, math.log(4), 0.0, torch.float64) == pytest.approx((0.0, 0.0), abs=1e-15)
    assert loss_of(loss, math.log(4), 0.0) == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2))


@pytest.mark.parametrize("name", ["bradley_terry", "classification"])
def test_equal_scores_of_zero_cost_ln_two(name: str) -> None:
    assert loss_of(LOSSES[name], 0.0, 0.0) == pytest.approx(LN2)


@given(chosen=FINITE, rejected=FINITE, theta=st.floats(1.0001, 1000))
def test_win_loss_and_tie_add_up_to_one(chosen: float, rejected: float, theta: float) -> None:
    one, other, yes = scores(chosen), scores(rejected), torch.tensor([True])
    losses = [
        rao_kupper(one, other, ~yes, theta),
        rao_kupper(other, one, ~yes, theta),
        rao_kupper(one, other, yes, theta),
    ]
    assert sum(math.exp(-float(loss)) for loss in losses) == pytest.approx(1.0, rel=1e-9)


def test_rao_kupper_agrees_with_the_formula_in_exponentials() -> None:
    for d, theta in [(0.0, 1.5), (0.7, 3.0), (-2.0, 1.01)]:
        a, b = math.exp(d), 1.0
        win, tie = a / (a + theta * b), (theta**2 - 1) * a * b / ((a + theta * b) * (theta * a + b))
        got = rao_kupper(scores(d, d), scores(0.0, 0.0), torch.tensor([False, True]), theta)
        assert torch.exp(-got).tolist() == pytest.approx([win, tie], rel=1e-12)


@given(chosen=FINITE, rejected=FINITE)
def test_rao_kupper_with_theta_one_is_bradley_terry(chosen: float, rejected: float) -> None:
    one, other = scores(chosen), scores(rejected)
    assert torch.equal(rao_kupper(one, other, torch.tensor([False]), 1.0), bradley_terry(one, other))


def test_a_tie_at_equal_scores_has_the_probability_that_the_docstring_says() -> None:
    got = rao_kupper(scores(0.3), scores(0.3), torch.tensor([True]), theta=1.5)
    assert math.exp(-float(got)) == pytest.approx((1.5 - 1) / (1.5 + 1))


@pytest.mark.parametrize("theta", [1 + 2**-52, 1e300])
def test_extreme_theta_gives_finite_losses(theta: float) -> None:
    sides = [scores(1.0, 1.0).requires_grad_(), scores(0.0, 0.0).requires_grad_()]
    loss = rao_kupper(sides[0], sides[1], torch.tensor([False, True]), theta)
    assert torch.isfinite(loss).all()
    assert all(torch.isfinite(part).all() for part in torch.autograd.grad(loss.sum(), sides))


@pytest.mark.parametrize("theta", [0.99, math.inf, math.nan, -2.0])
def test_a_theta_below_one_or_not_finite_is_refused(theta: float) -> None:
    with pytest.raises(ValueError, match="theta must be at least 1 and finite, got"):
        rao_kupper(scores(1.0), scores(0.0), torch.tensor([False]), theta)


def test_a_tie_with_theta_one_is_refused() -> None:
    with pytest.raises(ValueError, match="theta must be above 1 where there are ties"):
        rao_kupper(scores(1.0), scores(0.0), torch.tensor([True]), 1.0)
