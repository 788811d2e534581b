"""Stress cases for any reward: a brief right reply must score above every bad one.

A reward for which long rambling beats the brief right answer must not be trained on. To run them:

    >>> from rewardkit_audit.stress import cases, outcome, score_cases
    >>> chosen = cases()
    >>> found = outcome(chosen, score_cases(chosen, lambda prompts, completions: [-len(text) for text in completions]))
    >>> found.fatal, len(found.families)
    (False, 17)
"""

from rewardkit_audit.stress.cases import FAMILIES, StressCase, cases, score_cases
from rewardkit_audit.stress.outcome import FailedCase, FamilyOutcome, StressOutcome, outcome
from rewardkit_audit.stress.section import stress_section

__all__ = [
    "FAMILIES",
    "FailedCase",
    "FamilyOutcome",
    "StressCase",
    "StressOutcome",
    "cases",
    "outcome",
    "score_cases",
    "stress_section",
]
