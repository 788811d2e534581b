"""What a run says while it goes on; a command shows it, a program may ignore it."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Progress"]


class Progress:
    """Called by a run as it goes on; override what you want to see. This one shows nothing."""

    def stage(self, name: str, total: int, done: int = 0) -> None:
        """A stage begins, as in reading, encoding, training.

        Args:
            name: What is done.
            total: How much there is to do.
            done: How much of it was done before.
        """

    def advance(self, by: int = 1) -> None:
        """So much more of the stage is done."""

    def training(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures of the pairs trained on since the last time: loss, accuracy, margin, learning rate."""

    def evaluated(self, step: int, name: str, figures: Mapping[str, float], note: str) -> None:
        """A set was evaluated; ``note`` says what follows of it, as in ``best so far``."""

    def say(self, message: str) -> None:
        """Something that a person should know, as in rows left out."""
