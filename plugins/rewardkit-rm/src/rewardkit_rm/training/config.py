"""What a training run is made of: the model, the pairs, the loss and the optimisation, read from YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from rewardkit.errors import ConfigError, Problem, shown
from rewardkit.reference import plain, read
from rewardkit.validation import problems_of
from rewardkit.yaml_file import parse_yaml
from rewardkit_rm.models.settings import ModelSettings

__all__ = ["DataSettings", "LossKind", "LossSettings", "TrainConfig", "TrainingSettings", "load_config"]

LossKind = Literal["bradley_terry", "classification", "mean_squared", "rao_kupper", "soft_label"]
M = TypeVar("M", bound=BaseModel)

_LEARNING_RATES = {"head": 1e-3, "last_layers": 1e-5, "lora": 1e-4, "full": 1e-5}
_EPOCHS = {"head": 20, "last_layers": 2, "lora": 2, "full": 2}
_LEVEL_IS_FREE = ("bradley_terry", "soft_label", "rao_kupper")
_CENTERING = 0.01
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")

Files = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


class DataSettings(_Strict):
    """Files of preference pairs: JSON lines, gzip of these, Parquet, or folders of Hugging Face ``datasets``."""

    train: Files = Field(default_factory=list, description="Files of pairs to train on.")
    validation: Files = Field(default_factory=list, description="Files of pairs to evaluate on while training.")
    validation_share: float = Field(
        default=0.1, ge=0, lt=1, description="Without validation files, this share of the prompts is set aside."
    )
    split_seed: int = Field(default=0, description="Another one sets other prompts aside.")
    other_domains: dict[str, Files] = Field(
        default_factory=dict, description="Name to files of other domains: evaluated on, never selected by."
    )
    columns: dict[str, str] = Field(default_factory=dict, description="Column to the path it is read from.")
    explode: list[str] = Field(default_factory=list, description="Paths of lists whose entries are rows.")
    balance_length: Literal["subsample", "weights"] | None = Field(
        default=None, description="Make the longer side the chosen one in half of the training pairs."
    )
    augment: list[Literal["white_space", "markup", "list_order"]] = Field(
        default_factory=list, description="Add copies of training pairs, both sides perturbed in one of these ways."
    )

    @field_validator("other_domains")
    @classmethod
    def _named(cls, other_domains: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in other_domains:
            if not _NAME.match(name) or name in ("train", "validation"):
                raise ValueError(
                    f"a domain's name is letters, digits, '_' and '-', and neither train nor validation, got {name!r}"
                )
        return other_domains


class LossSettings(_Strict):
    """The loss of a pair; see `rewardkit_rm.losses`."""

    kind: LossKind = Field(default="bradley_terry", description="What is minimised.")
    centering: float | None = Field(
        default=None,
        ge=0,
        description="Coefficient of (chosen + rejected)²; 0.01, or 0 for classification and mean_squared.",
    )
    margin: bool = Field(default=False, description="Use the column margin; only with bradley_terry.")
    theta: float | None = Field(
        default=None, gt=1, allow_inf_nan=False, description="θ of rao_kupper, 1.5 unless given; see its docstring."
    )

    @model_validator(mode="after")
    def _consistent(self) -> LossSettings:
        if self.margin and self.kind != "bradley_terry":
            raise ValueError(f"margin goes with bradley_terry only, not with {self.kind}")
        if self.theta is not None and self.kind != "rao_kupper":
            raise ValueError(f"theta goes with rao_kupper only, not with {self.kind}")
        if self.centering and self.kind not in _LEVEL_IS_FREE:
            raise ValueError(f"centering must be 0 with {self.kind}, which fixes the level of scores itself")
        return self


class TrainingSettings(_Strict):
    """The optimisation: AdamW with a warm-up, as the published recipes have it."""

    learning_rate: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Peak; 1e-5, with LoRA 1e-4, for a head alone 1e-3."
    )
    epochs: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="At most so many; 2, for a head alone 20."
    )
    batch_size: int = Field(default=64, ge=1, description="Pairs of one step, over all devices; 32 to 128 is usual.")
    gradient_accumulation: int = Field(default=1, ge=1, description="A step is computed in so many parts.")
    warmup: float = Field(
        default=0.05, ge=0, allow_inf_nan=False, description="Steps of warm-up; below 1 the share of all steps."
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(default="cosine", description="Decay after the warm-up.")
    clip: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="Largest norm of the gradient.")
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False, description="Decoupled weight decay.")
    eval_every: int | None = Field(
        default=None,
        ge=1,
        description="Steps between evaluations and checkpoints; a quarter of an epoch, at least 10.",
    )
    patience: int | None = Field(
        default=3, ge=1, description="Stop after so many evaluations without a better accuracy; null never stops."
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Of the new head, the order of pairs, and dropout.")
    bf16: bool = Field(default=False, description="Compute in bfloat16 by autocast; pooling, head and loss in float32.")
    gradient_checkpointing: bool = Field(default=False, description="Compute activations twice to save memory.")
    report_to: Files = Field(
        default_factory=list, description="Trackers of transformers' Trainer, as in tensorboard, wandb, mlflow."
    )


class TrainConfig(_Strict):
    """One training run.

    ``learning_rate`` and ``epochs`` are given by what is trained, where nothing is set: a full model, or its last
    layers, with 1e-5 for 2 epochs (published reward models use 2e-6 to 1e-5 for 1 to 3); LoRA with 1e-4, the default
    of TRL's RewardTrainer; a new head on frozen features with 1e-3, the usual rate of Adam for a small network, for
    at most 20 epochs, which early stopping ends.
    """

    model: ModelSettings
    data: DataSettings = Field(default_factory=DataSettings)
    loss: LossSettings = Field(default_factory=LossSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)

    def resolved(self) -> dict[str, Any]:
        """Return the settings as plain values, with what is in force where nothing was set."""
        content = self.model_dump(mode="json")
        content["loss"]["centering"] = self.centering
        content["training"] |= {"learning_rate": self.learning_rate, "epochs": self.epochs}
        return content

    @property
    def centering(self) -> float:
        """Coefficient of the centring term in force."""
        return self._or_usual(self.loss.centering, _CENTERING if self.loss.kind in _LEVEL_IS_FREE else 0.0)

    @property
    def theta(self) -> float:
        """θ of the tie model in force."""
        return self._or_usual(self.loss.theta, 1.5)

    @property
    def learning_rate(self) -> float:
        """Peak learning rate in force."""
        return self._or_usual(self.training.learning_rate, _LEARNING_RATES[self.model.train])

    @property
    def epochs(self) -> float:
        """Passes over the pairs in force."""
        return self._or_usual(self.training.epochs, _EPOCHS[self.model.train])

    @staticmethod
    def _or_usual(value: float | None, usual: float) -> float:
        return usual if value is None else value


def load_config(
    ref: str | Path | Mapping[str, Any] | TrainConfig, data: Sequence[str | Path] = (), overrides: Sequence[str] = ()
) -> TrainConfig:
    """Read the config of a training run.

    Args:
        ref: A YAML or JSON file, a mapping, or a config, which is taken as it is. Relative paths in a file start from
            its folder, others from the working directory.
        data: Files of pairs, from the working directory; they replace ``data.train``.
        overrides: ``key=value`` with a dotted key and a value in YAML, as in ``training.learning_rate=1e-4``.

    Raises:
        ConfigError: Listing everything that is wrong, with dotted paths.

    Example:
        >>> config = load_config({"model": {"base": "org/name"}}, ["pairs.jsonl"], ["loss.margin=true"])
        >>> config.learning_rate, config.loss.margin
        (0.001, True)
    """
    if isinstance(ref, TrainConfig):
        ref = ref.model_dump(mode="json", exclude_unset=True)
    source = read(ref if isinstance(ref, Mapping) else Path(ref))
    content, problems = plain(source.content)
    if not isinstance(content, dict):
        kind = "nothing" if content is None else type(content).__name__
        nothing = Problem("", f"expected a mapping with the key 'model', got {kind}")
        raise ConfigError(problems or [nothing], source.name)
    unreadable = {problem.path for problem in problems}
    problems += _override(content, overrides)
    if data:
        problems += _put(content, ["data", "train"], [str(Path(path).absolute()) for path in data])
    try:
        config = TrainConfig.model_validate_json(orjson.dumps(content))
    except ValidationError as error:
        found = problems_of(error, content, "", TrainConfig)
        raise ConfigError([*problems, *(one for one in found if one.path not in unreadable)], source.name) from None
    if problems:
        raise ConfigError(problems, source.name)
    return _located(config, source.folder)


def _override(content: dict[str, Any], overrides: Sequence[str]) -> list[Problem]:
    problems: list[Problem] = []
    for override in overrides:
        key, sign, text = override.partition("=")
        if not (key.strip() and sign):
            problems.append(Problem("", f"expected key=value, as in training.seed=1, got {shown(override)}"))
            continue
        value, unheld = plain(parse_yaml(text, f"value of {key}"))
        problems += [Problem(key, problem.message) for problem in unheld]
        problems += _put(content, key.strip().split("."), value)
    return problems


def _put(content: dict[str, Any], path: Sequence[str], value: Any) -> list[Problem]:
    """Set a value in a nested mapping; what is on the way is made."""
    for depth, part in enumerate(path[:-1], 1):
        inner = content.setdefault(part, {})
        if not isinstance(inner, dict):
            return [Problem(".".join(path[:depth]), f"expected a mapping, got {shown(inner)}")]
        content = inner
    content[path[-1]] = value
    return []


def _located(config: TrainConfig, folder: Path) -> TrainConfig:
    """Return a config with absolute paths."""

    def absolute(path: str) -> str:
        return str((folder / Path(path).expanduser()).absolute())

    data, model = config.data, config.model
    files = {name: [absolute(path) for path in getattr(data, name)] for name in ("train", "validation")}
    others = {name: [absolute(path) for path in paths] for name, paths in data.other_domains.items()}
    data = data.model_copy(update=files | {"other_domains": others})
    if model.encoding.chat_template is not None:
        template = {"chat_template": absolute(model.encoding.chat_template)}
        model = model.model_copy(update={"encoding": model.encoding.model_copy(update=template)})
    if model.base.startswith(("./", "../", "~")) or (folder / model.base).is_dir():
        model = model.model_copy(update={"base": absolute(model.base)})
    return config.model_copy(update={"data": data, "model": model})
