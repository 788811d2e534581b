"""Config: a file, a mapping or one line becomes a Combiner; everything that is wrong is said at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rewardkit.calibration import Calibration
from rewardkit.combiner import Combiner, Granularity
from rewardkit.component import Component
from rewardkit.dotted import Imports, import_component, is_dotted
from rewardkit.errors import ConfigError, PluginError, Problem, RewardKitError, UnknownNameError
from rewardkit.function import reward
from rewardkit.plugins import failures_hint, load_plugins, observers
from rewardkit.problems import find_problems
from rewardkit.reference import Source, plain, read
from rewardkit.registry import Registry, components, schedules
from rewardkit.schedule import Schedule
from rewardkit.scores import Rewards
from rewardkit.term import Collapse, Term
from rewardkit.validation import problems_of

__all__ = ["RewardConfig", "TermConfig", "json_schema", "load"]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
C = TypeVar("C", Component, Schedule)
Observer = Callable[[Rewards], object]

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if not bounds[0] < bounds[1]:
        raise ValueError(f"the lower bound must be below the upper one, got {list(bounds)}")
    return bounds


Bounds = Annotated[tuple[float, float], AfterValidator(_ordered)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


class ScheduleConfig(BaseModel):
    """A weight that follows a schedule: its name, and its settings beside it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", defer_build=True)

    use: str = Field(description="Name of a schedule.")


class TermConfig(_Strict):
    """One weighted component."""

    use: str = Field(description="Name of a component, or a dotted path where imports are allowed.")
    weight: float | ScheduleConfig = Field(
        default=1.0, description="A number, or {use: schedule, ...}. 0: measured only."
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="Settings of the component.")
    inputs: dict[str, str] = Field(
        default_factory=dict, description="Input to column, where names differ; $label is another term's raw score."
    )
    when: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default_factory=dict, description="Column to the values for which it applies."
    )
    requires: dict[str, float] = Field(default_factory=dict, description="Label to the raw score it must reach.")
    required: bool = Field(default=False, description="If this term abstains, so does the row.")
    on_error: Literal["raise", "abstain"] | float = Field(default="raise", description="What a failure becomes.")
    partial: bool = Field(default=False, description="With on_error: abstain, only this term abstains.")
    on_truncated: Literal["score", "abstain"] | float = Field(
        default="score", description="What a completion gets that was cut off by its budget."
    )
    normalize: str | Calibration | None = Field(
        default=None, description="A calibration file, its content, or 'group' to standardise within groups."
    )
    clip: Bounds | None = Field(default=None, description="Lowest and highest normalised score.")
    collapse: Collapse = Field(default="mean", description="How step or token scores become one.")
    note: str = Field(default="", description="Why this term is here; appears in reports.")


class GranularityConfig(_Strict):
    """What one reward judges, and why."""

    level: Literal["response", "step", "token"]
    why: str = ""


class RewardConfig(_Strict):
    """A reward: labelled terms that are summed."""

    rewards: dict[str, TermConfig] = Field(description="Label to term; labels become metric names.")
    success: str | None = Field(default=None, description="Label of the term whose raw score is the task metric.")
    clip: Bounds | None = Field(default=None, description="Lowest and highest total.")
    granularity: GranularityConfig | None = Field(default=None, description="Documents the level of the reward.")


def load(
    ref: str | Path | Mapping[str, Any] | Component | Combiner,
    *,
    allow_import: Imports = (),
    observers: Sequence[Observer] = (),
) -> Combiner:
    """Make a combiner of a reference to a reward.

    Args:
        ref: A mapping (an OmegaConf one too); a path, or a string with a slash or ending in .yaml, .yml or
            .json: a file; any other string: a registered name, or one line such as
            ``math + 0.2*think_format`` (see `rewardkit.line`). A component stands for itself, and a combiner is
            returned as it is. Paths in a file start from its folder, others from the working directory.
        allow_import: Dotted paths import code, so they work only below these module prefixes; True allows all.
            What a path leads to must be defined below them too.
        observers: Called with every result, beside those of plugins.

    Raises:
        ConfigError: Listing everything that is wrong with the config, with paths.

    Example:
        >>> from rewardkit import register_reward
        >>> short = register_reward("short", lambda response: float(len(response) < 10))
        >>> load("0.5*short").terms[0].weight
        0.5
    """
    if isinstance(ref, Combiner):
        if observers:
            raise ConfigError([Problem("", "a Combiner has its own observers; give them to Combiner(...)")], "reward")
        return ref
    if isinstance(ref, Component):
        return Combiner([Term(label=ref.name, component=ref)], _observers(observers))
    return _Builder(read(ref), allow_import).build(_observers(observers))


def _observers(own: Sequence[Observer]) -> list[Observer]:
    return [*own, *observers()]


class _Builder:
    """Builds a combiner from what was read, collecting problems on the way."""

    def __init__(self, source: Source, allow_import: Imports) -> None:
        self.source, self.allow_import = source, allow_import
        self.problems: list[Problem] = []
        self.unreadable: set[str] = set()
        self.hinted = False

    def build(self, observers: Sequence[Observer]) -> Combiner:
        load_plugins()
        mapping, problems = plain(self.source.content)
        self.problems += problems
        self.unreadable = {problem.path for problem in problems}
        if not isinstance(mapping, dict):
            kind = "nothing" if mapping is None else type(mapping).__name__
            nothing = Problem("", f"expected a mapping with the key 'rewards', got {kind}")
            raise ConfigError(problems or [nothing], self.source.name)
        rewards = mapping.get("rewards")
        if not isinstance(rewards, dict):
            self._validate(RewardConfig, mapping, "")
            raise self._error()
        # Terms are validated one by one, so that a broken one hides nothing about the others.
        config = self._validate(RewardConfig, mapping | {"rewards": {}}, "")
        built = [term for term in (self._term(label, value) for label, value in rewards.items()) if term is not None]
        labels = None if len(built) == len(rewards) else list(rewards)
        for problem in find_problems(built, config.success if config else None, labels=labels):
            self._report(problem)
        if self.problems or config is None:
            raise self._error()
        granularity = Granularity(config.granularity.level, config.granularity.why) if config.granularity else None
        return Combiner(built, observers, clip=config.clip, success=config.success, granularity=granularity)

    def _error(self) -> ConfigError:
        return ConfigError(self.problems, self.source.name)

    def _report(self, problem: Problem) -> None:
        """Keep a problem, unless it only follows from a value that could not be read."""
        if problem.path not in self.unreadable and problem not in self.problems:
            self.problems.append(problem)

    def _validate(self, model: type[M], value: Any, path: str) -> M | None:
        """Validate a value; what is broken is reported and then left out, so that the rest is checked too."""
        try:
            return model.model_validate_json(orjson.dumps(value))
        except ValidationError as error:
            for problem in problems_of(error, value, path, model):
                self._report(problem)
            broken = {item["loc"][0] for item in error.errors() if item["loc"]}
        kept = {key: item for key, item in value.items() if key not in broken} if isinstance(value, dict) else {}
        try:
            return model.model_validate_json(orjson.dumps(kept))
        except ValidationError:
            return None

    def _term(self, label: str, value: Any) -> Term | None:
        """Build a term; something stands in for what is broken, so that its references are checked too."""
        path = f"rewards.{label}"
        if not _LABEL.match(label):
            self._report(Problem(path, "a label is letters, digits, '_', '-' and '.', and starts with a letter"))
        config = self._validate(TermConfig, value, path)
        if config is None:
            return None
        component = self._component(path, config)
        weight = self._weight(f"{path}.weight", config.weight)
        normalize = self._normalize(f"{path}.normalize", config.normalize, component)
        same = TermConfig.model_fields.keys() - {"use", "settings", "weight", "normalize"}
        return Term(
            label=label,
            component=reward(name="unknown")(lambda **columns: None) if component is None else component,
            weight=1.0 if weight is None else weight,
            normalize=normalize,
            **{name: getattr(config, name) for name in same},
        )

    def _component(self, path: str, config: TermConfig) -> Component | None:
        found = self._named(f"{path}.use", config.use)
        if not isinstance(found, Component):
            return None if found is None else self._make(found, config.settings, f"{path}.settings")
        if config.settings:
            self._report(Problem(f"{path}.settings", f"{config.use!r} is a function or an instance and takes none"))
        return found

    def _named(self, path: str, use: str) -> type[Component] | Component | None:
        if not is_dotted(use):
            return self._look_up(components, use, path)
        try:
            return import_component(use, self.allow_import)
        except UnknownNameError as error:
            self._report(Problem(path, str(error)))
        return None

    def _weight(self, path: str, weight: float | ScheduleConfig) -> Schedule | float | None:
        if not isinstance(weight, ScheduleConfig):
            return weight
        found = self._look_up(schedules, weight.use, f"{path}.use")
        return None if found is None else self._make(found, weight.model_extra or {}, path, also=["use"])

    def _look_up(self, registry: Registry[T], name: str, path: str) -> T | None:
        """Return what a name stands for; the first unknown one also tells which plugins are missing."""
        try:
            return registry.get(name)
        except UnknownNameError as error:
            hint, self.hinted = "" if self.hinted else failures_hint(), True
            self._report(Problem(path, f"{error}{hint}"))
        except PluginError as error:
            self._report(Problem(path, str(error)))
        return None

    def _make(self, cls: type[C], settings: dict[str, Any], path: str, also: Iterable[str] = ()) -> C | None:
        try:
            if issubclass(cls, Component):
                return cls.from_settings(settings, self.source.folder)
            return cls.from_settings(settings)
        except ValidationError as error:
            for problem in problems_of(error, settings, path, cls, also):
                self._report(problem)
        except Exception as error:  # a validator of a plugin may raise anything
            self._report(Problem(path, f"{type(error).__name__}: {error}"))
        return None

    def _normalize(
        self, path: str, value: str | Calibration | None, component: Component | None
    ) -> Calibration | Literal["group"] | None:
        if value is None or value == "group":
            return "group" if value else None
        calibration = value if isinstance(value, Calibration) else self._calibration(path, value)
        if calibration is None or component is None:
            return None
        meant = (calibration.component or component.name, calibration.version or component.version)
        if meant != (component.name, component.version):
            text = f"calibrated for {meant[0]!r} version {meant[1]}, not {component.name!r} version {component.version}"
            self._report(Problem(path, text))
        elif calibration.model is not None:
            self._compare_weights(path, calibration.model, component)
        return calibration

    def _compare_weights(self, path: str, meant: str, component: Component) -> None:
        try:
            found = component.weights_digest()
        except (OSError, RewardKitError) as error:
            self._report(Problem(path, f"which weights {component.name!r} has cannot be told: {error}"))
            return
        if found not in (None, meant):
            text = f"calibrated for the weights {meant:.12}, but {component.name!r} has {found:.12}; calibrate again"
            self._report(Problem(path, text))

    def _calibration(self, path: str, name: str) -> Calibration | None:
        try:
            content, problems = plain(read(self.source.folder / name).content)
        except ConfigError as error:
            self._report(Problem(path, f"calibration file {error}"))
            return None
        try:
            return Calibration.model_validate_json(orjson.dumps(content))
        except ValidationError as error:
            problems += problems_of(error, content, "", Calibration)
        for problem in problems:
            self._report(Problem(path, f"calibration file {name!r}: {problem}"))
        return None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a config, with the settings of every installed component and schedule."""
    load_plugins()
    schema = RewardConfig.model_json_schema()
    defs = schema["$defs"]
    schema["properties"]["rewards"] |= {"minProperties": 1, "propertyNames": {"pattern": f"^{_LABEL.pattern[:-2]}$"}}
    term, schedule = defs["TermConfig"], defs["ScheduleConfig"]
    term["properties"]["use"] |= {"anyOf": [{"enum": list(components)}, {"pattern": "[.:]"}]}
    term["allOf"] = [_chosen(name, _term_rule(components.get(name), defs)) for name in components]
    schedule["properties"]["use"]["enum"] = list(schedules)
    schedule["allOf"] = [_chosen(name, _schedule_rule(schedules.get(name), defs)) for name in schedules]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _chosen(name: str, rule: dict[str, Any]) -> dict[str, Any]:
    """Return the rule that holds where ``use`` is ``name``."""
    return {"if": {"properties": {"use": {"const": name}}, "required": ["use"]}, "then": rule}


def _term_rule(component: type[Component] | Component, defs: dict[str, Any]) -> dict[str, Any]:
    if isinstance(component, Component):
        return {"properties": {"settings": {"maxProperties": 0}}}
    settings = _settings_schema(component, f"component.{component.name}", defs)
    return {"properties": {"settings": settings}} | ({"required": ["settings"]} if "required" in settings else {})


def _schedule_rule(schedule: type[Schedule], defs: dict[str, Any]) -> dict[str, Any]:
    settings = _settings_schema(schedule, f"schedule.{schedule.name}", defs)
    return settings | {"properties": {"use": True, **settings["properties"]}}


def _settings_schema(model: type[BaseModel], prefix: str, defs: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a model; its definitions go to ``defs``, under names that no other plugin's take."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    defs |= {f"{prefix}.{name}": definition for name, definition in schema.pop("$defs", {}).items()}
    return schema
