"""Losses of preference pairs: pure functions of two scores a pair, one loss a pair.

Every function takes tensors of shape ``(B,)``, computes in float32 whatever the scores are (float64 stays float64, for
checks of gradients), and returns the loss of each pair, shape ``(B,)``: means and weights are the caller's. All are
finite, with finite gradients, for any finite score: nothing is exponentiated outside ``softplus`` and ``logsigmoid``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

__all__ = ["bradley_terry", "centering", "classification", "mean_squared", "rao_kupper", "soft_label"]


def bradley_terry(chosen: Tensor, rejected: Tensor, margin: Tensor | None = None) -> Tensor:
    """Return ``-log σ(chosen - rejected - margin)``: that the chosen side wins, by a margin.

    The gradient with respect to the chosen score is ``σ(chosen - rejected - margin) - 1``. At equal scores and no
    margin the loss is ln 2 = 0.693.

    Args:
        chosen: Scores of the preferred completions, shape ``(B,)``.
        rejected: Scores of the others, shape ``(B,)``.
        margin: By how much the chosen score should be above, in units of the score, shape ``(B,)``.

    Source:
        Bradley and Terry 1952; the margin as in Touvron et al. 2023, Llama 2 (arXiv 2307.09288), equation 2.

    Example:
        >>> bradley_terry(torch.tensor([2.0, 0.5]), torch.tensor([0.5, 2.0]))
        tensor([0.2014, 1.7014])
    """
    difference = _wide(chosen) - _wide(rejected)
    return -logsigmoid(difference if margin is None else difference - margin.to(difference.dtype))


def centering(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Return ``(chosen + rejected)²``, which keeps the scores of a pair around zero.

    Bradley-Terry fixes differences only; added to it with a small coefficient (0.01 in the source) this fixes the
    level. Shapes as in `bradley_terry`.

    Source:
        Eisenstein et al. 2023, Helping or Herding? (arXiv 2312.09244), equation 2.

    Example:
        >>> centering(torch.tensor([2.0, 1.0]), torch.tensor([0.5, -1.0]))
        tensor([6.2500, 0.0000])
    """
    return (_wide(chosen) + _wide(rejected)).square()


def classification(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Return ``(-log σ(chosen) - log σ(-rejected)) / 2``: each side is good or bad by itself.

    The mean of two binary cross-entropies, so that it is ln 2 at scores of zero. It fixes the level as well as the
    difference: a score above zero says good. Shapes as in `bradley_terry`; ties cannot be expressed.

    Source:
        Cobbe et al. 2021, Training verifiers (arXiv 2110.14168), there per solution.

    Example:
        >>> classification(torch.tensor([2.0]), torch.tensor([0.5]))  # (0.1269 + 0.9741) / 2
        tensor([0.5505])
    """
    return (softplus(-_wide(chosen)) + softplus(_wide(rejected))) / 2


def mean_squared(chosen: Tensor, rejected: Tensor, tie: Tensor | None = None) -> Tensor:
    """Return ``((chosen - a)² + (rejected - b)²) / 2`` with targets a, b of 1, 0, or 0.5, 0.5 for a tie.

    Shapes as in `bradley_terry`; ``tie`` is boolean. At scores of 0.5 the loss of a decided pair is 0.25.

    Source:
        Regression on labels as in Wang et al. 2023, HelpSteer (arXiv 2311.09528), here with the labels of a pair.

    Example:
        >>> mean_squared(torch.tensor([0.9, 0.9]), torch.tensor([0.2, 0.2]), torch.tensor([False, True]))
        tensor([0.0250, 0.1250])
    """
    chosen, rejected = _wide(chosen), _wide(rejected)
    half = torch.zeros_like(chosen) if tie is None else tie.to(chosen.dtype) / 2
    return ((chosen - (1 - half)).square() + (rejected - half).square()) / 2


def soft_label(chosen: Tensor, rejected: Tensor, probability: Tensor) -> Tensor:
    """Return ``-p log σ(chosen - rejected) - (1 - p) log σ(rejected - chosen)``, the cross-entropy with a probability.

    Its gradient with respect to the chosen score is ``σ(chosen - rejected) - p``: it is least where the model says
    ``p``, and for a tie (p = 0.5) where the scores are equal; there it is the entropy of ``p``, not zero. p = 1 is
    Bradley-Terry. Shapes as in `bradley_terry`; ``probability`` is that the chosen side is better, 0 to 1.

    Source:
        Label smoothing of preferences as in Mitchell 2023, conservative DPO, here with one label a pair.

    Example:
        >>> soft_label(torch.tensor([2.0, 1.0]), torch.tensor([0.5, 1.0]), torch.tensor([0.8, 0.5]))
        tensor([0.5014, 0.6931])
    """
    difference = _wide(chosen) - _wide(rejected)
    probability = probability.to(difference.dtype)
    return probability * softplus(-difference) + (1 - probability) * softplus(difference)


def rao_kupper(chosen: Tensor, rejected: Tensor, tie: Tensor, theta: float) -> Tensor:
    """Return the negative log-likelihood of a pair in the Bradley-Terry model with ties of Rao and Kupper.

    With ``d = chosen - rejected`` and ``η = ln θ``::

        P(chosen wins)   = e^c / (e^c + θ e^r)   = σ(d - η)
        P(rejected wins) = e^r / (θ e^c + e^r)   = σ(-d - η)
        P(tie)           = (θ² - 1) P(chosen wins) P(rejected wins)

    The three add up to 1. At equal scores a tie has probability ``(θ - 1) / (θ + 1)``, so a θ of ``(1 + t) / (1 - t)``
    fits a share ``t`` of ties among such pairs. θ = 1 is Bradley-Terry, in which nothing is a tie. θ is a number, not
    learned: what is kept of the model is its scores, and with θ given they mean the same in every run.

    Args:
        chosen: Scores of the preferred completions, or of one side of a tie, shape ``(B,)``.
        rejected: Scores of the others, shape ``(B,)``.
        tie: Which pairs are ties, boolean, shape ``(B,)``.
        theta: θ, at least 1, and above 1 where there are ties.

    Raises:
        ValueError: If θ is below 1 or not finite, or is 1 where there is a tie, whose loss would be infinite.

    Source:
        Rao and Kupper 1967, JASA 62(317); for reward models Liu et al. 2024 (arXiv 2410.05328).

    Example:
        >>> rao_kupper(torch.tensor([2.0, 2.0]), torch.tensor([0.5, 0.5]), torch.tensor([False, True]), theta=2.0)
        tensor([0.3690, 1.5693])
    """
    if not 1 <= theta < math.inf:
        raise ValueError(f"theta must be at least 1 and finite, got {theta}")
    if theta == 1 and bool(tie.any()):
        raise ValueError("theta must be above 1 where there are ties: at 1 a tie has probability 0")
    difference, threshold = _wide(chosen) - _wide(rejected), math.log(theta)
    win = -logsigmoid(difference - threshold)
    if theta == 1:
        return win
    odds = math.log(theta - 1) + math.log(theta + 1)
    return torch.where(tie, win - logsigmoid(-difference - threshold) - odds, win)


def _wide(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
