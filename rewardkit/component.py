"""Component: one named, typed, batch-first source of scores."""

from __future__ import annotations

import inspect
import json
import math
import os
import re
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

from rewardkit.columns import Columns
from rewardkit.scores import ScoreLike

__all__ = ["Component", "ConfigPath"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def _from_folder(path: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder")
    return path if folder is None else os.path.normpath(folder / path)


ConfigPath: TypeAlias = Annotated[str, AfterValidator(_from_folder)]
"""A setting that names a file or folder: in a config file, a relative path starts from the folder of that file."""


class Component(BaseModel):
    """One source of reward. Its fields are settings; ``Inputs`` declares the columns that it reads.

    A component sees its columns and nothing else: no weight, no schedule, no other component. It scores a whole
    batch at once and returns one value per sample: a number, or None to abstain. Two components are equal when
    class and settings are.

    Class attributes:
        name: The name that configs use: letters, digits and underscores. A class without a name is abstract.
        version: Changes whenever scores change.
        slow: True for a synchronous component that should run in a thread of its own (GPU, workers). Its ``score``
            must be thread-safe: two terms may share an instance.
        Inputs: The columns, a subclass of `Columns`.

    Example:
        >>> class Shout(Component):
        ...     name: ClassVar[str] = "shout"
        ...     sign: str = "!"
        ...     class Inputs(Columns):
        ...         completion: list[str]
        ...     def score(self, inputs: Inputs) -> list[float]:
        ...         return [float(text.endswith(self.sign)) for text in inputs.completion]
        >>> shout = Shout(sign="?")
        >>> shout.score(Shout.Inputs(completion=["really?", "no"]))
        [1.0, 0.0]
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    slow: ClassVar[bool] = False
    Inputs: ClassVar[type[Columns]]

    def score(self, inputs: Any) -> ScoreLike | Awaitable[ScoreLike]:
        """Score every sample of ``inputs``.

        Args:
            inputs: The validated columns, an instance of ``Inputs``.

        Returns:
            One value per sample, in order: numbers, None to abstain, an array, or `Scores`. A coroutine
            function is awaited.
        """
        raise TypeError(f"{type(self).__qualname__} must define score(self, inputs)")

    def score_range(self) -> tuple[float, float]:
        """Return the lowest and highest score possible with these settings; unbounded by default."""
        return (-math.inf, math.inf)

    def needs(self) -> tuple[str, ...]:
        """Return those optional inputs that these settings make necessary, so that `check` can miss them; none here."""
        return ()

    def weights_digest(self) -> str | None:
        """Return a digest of the weights that score, or None where there are none or nobody can tell.

        A calibration of other weights is refused.

        Raises:
            OSError: If the weights cannot be read.
            RewardKitError: If they are none.
        """
        return None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "name" in cls.model_fields or "version" in cls.model_fields:
            raise TypeError(f"{cls.__qualname__}: annotate it as 'name: ClassVar[str]'; plain fields are settings")
        name = cls.__dict__.get("name")
        if name is None:
            return
        if not isinstance(name, str) or not _NAME.match(name):
            raise TypeError(
                f"{cls.__qualname__}.name: {name!r} must be letters, digits and underscores, a letter first"
            )
        inputs = getattr(cls, "Inputs", None)
        if not (isinstance(inputs, type) and issubclass(inputs, Columns)):
            raise TypeError(f"{cls.__qualname__} must declare 'class Inputs(Columns)' with the columns it reads")
        if cls.score is Component.score:
            raise TypeError(f"{cls.__qualname__} must define score(self, inputs)")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON values, defaults included."""
        return self.model_dump(mode="json")

    @classmethod
    def from_settings(cls, settings: dict[str, Any], folder: Path | None = None) -> Self:
        """Build an instance from plain JSON values, as a config holds them; strict.

        Args:
            settings: The settings.
            folder: Where relative paths start, see `ConfigPath`; by default they stay as they are.

        Raises:
            pydantic.ValidationError: If a setting is unknown or has a wrong type or value.
        """
        return cls.model_validate_json(json.dumps(settings), context={"folder": folder})

    @property
    def is_async(self) -> bool:
        """Whether `score` is a coroutine function."""
        return inspect.iscoroutinefunction(self.score)

    def _identity(self) -> tuple[Any, Any]:
        return type(self), json.dumps(self.settings, sort_keys=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Component) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.settings)


def _rebuild(cls: type[Component], settings: dict[str, Any]) -> Component:
    return cls.from_settings(settings)
