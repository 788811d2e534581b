"""Reward models: a backbone, a pooled representation, a head; made, loaded, saved, and used to score."""
