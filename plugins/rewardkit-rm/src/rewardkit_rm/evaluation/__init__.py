"""Evaluation of reward models and of scores from anywhere."""
