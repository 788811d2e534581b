"""Calibration files that a config names: where they are looked for, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

import rewardkit as rk
from rewardkit.component import ConfigPath
from rewardkit.errors import ConfigError, RewardKitError
from rewardkit.registry import components


class Full(rk.Component):
    name: ClassVar[str] = "full_score"
    version: ClassVar[str] = "7"

    class Inputs(rk.Columns):
        completion: list[str]

    def score(self, inputs: Inputs) -> list[float]:
        return [1.0] * len(inputs)


@pytest.fixture(autouse=True)
def _full() -> Iterator[None]:
    components.add(Full.name, Full, origin="this test")
    yield
    components.remove(Full.name)


def load(folder: Path, content: str | None, name: str = "calibration.json") -> rk.Combiner:
    (folder / "reward.yaml").write_text(f"rewards: {{a: {{use: full_score, normalize: {name}}}}}")
    if content is not None:
        (folder / name).write_text(content)
    return rk.load(folder / "reward.yaml")


def test_a_path_starts_from_the_folder_of_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    rk.Calibration(mean=1.0, std=2.0, component="full_score", version="7").save(tmp_path / "calibration.json")
    assert load(tmp_path, None).terms[0].normalize == rk.Calibration(
        mean=1.0, std=2.0, component="full_score", version="7"
    )


def test_a_path_of_a_mapping_starts_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rk.Calibration(mean=1.0, std=2.0).save("c.json")
    assert rk.load({"rewards": {"a": {"use": "full_score", "normalize": "c.json"}}}).terms[0].normalize is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"calibration file .*calibration\.json: cannot be read: No such file or directory"),
        ("{", r"calibration file .*calibration\.json: broken JSON: Expecting property name"),
        ("[1]", r"calibration file 'calibration\.json': expected \{mean: ..., std: ...\}, got \[1\]"),
        ('{"mean": 1}', r"calibration file 'calibration\.json': std: is required"),
        ('{"mean": 1, "std": 0}', "std: must be greater than 0, got 0"),
        ('{"mean": 1, "std": -1}', "std: must be greater than 0, got -1"),
        ('{"mean": 1, "std": NaN}', "std: a number must be finite, got nan"),
        ('{"mean": Infinity, "std": 1}', "mean: a number must be finite, got inf"),
        ('{"mean": 1, "std": 1, "std": 2}', "broken JSON: key 'std' is given twice"),
        ('{"mean": 1, "std": 1, "sd": 2}', "sd: unknown key 'sd'; did you mean 'std'"),
        (
            '{"mean": 1, "std": 1, "component": "math"}',
            r"rewards\.a\.normalize: calibrated for 'math' version 7, not 'full_score' version 7",
        ),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(tmp_path, content)
    assert caught.value.problems[0].path == "rewards.a.normalize"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, None, name=".")


def test_what_is_saved_loads(tmp_path: Path) -> None:
    rk.Calibration.fit([1.0, 2.0, 4.0], clip=3.0, component="full_score").save(tmp_path / "calibration.json")
    found = load(tmp_path, None).terms[0].normalize
    assert found == rk.Calibration(**json.loads((tmp_path / "calibration.json").read_text()))


# What a calibration records beside mean and std

RECORDS = {"model": "abc", "temperature": 2.5, "quantiles": {"0.05": -1.0, "0.5": 0.0, "0.95": 1.5}}


def test_records_are_read_and_change_no_score(tmp_path: Path) -> None:
    plain = load(tmp_path, '{"mean": 1, "std": 2}')
    recorded = load(tmp_path, json.dumps({"mean": 1, "std": 2, **RECORDS}))
    batch = rk.Batch.from_columns(completion=["a"])
    assert recorded.score(batch).totals.tolist() == plain.score(batch).totals.tolist() == [0.0]
    assert recorded.config_hash == plain.config_hash
    calibration = recorded.terms[0].normalize
    assert isinstance(calibration, rk.Calibration)
    assert calibration.model_dump(include=set(RECORDS)) == RECORDS
    calibration.save(tmp_path / "again.json")
    assert rk.Calibration.load(tmp_path / "again.json") == calibration


def test_a_file_without_records_is_saved_without_them(tmp_path: Path) -> None:
    rk.Calibration(mean=1.0, std=2.0).save(tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_text()) == {"mean": 1.0, "std": 2.0}


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"temperature": 0}, "temperature: must be greater than 0, got 0"),
        ({"temperature": "hot"}, "temperature: expected a number, got 'hot'"),
        ({"quantiles": {"0.5": 1, "0.9": 0}}, "quantiles: quantiles must grow with their level"),
        ({"quantiles": {"median": 1}}, "quantiles: the level of a quantile lies between 0 and 1, got 'median'"),
        ({"quantiles": {"1.5": 1}}, "lies between 0 and 1, got '1.5'"),
        ({"quantiles": {"nan": 1}}, "lies between 0 and 1, got 'nan'"),
        ({"quantiles": [1]}, r"quantiles: expected a mapping, got \[1\]"),
        ({"model": 7}, "model: expected text, got 7"),
    ],
)
def test_broken_records_are_named(tmp_path: Path, records: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, json.dumps({"mean": 0, "std": 1, **records}))


# Components with weights, and settings that are paths


class Weighed(Full):
    name: ClassVar[str] = "weighed"

    folder: ConfigPath = "."

    def weights_digest(self) -> str | None:
        text = Path(self.folder, "weights").read_text()
        if not text:
            raise RewardKitError("the weights are empty")
        return None if text == "remote" else text


@pytest.fixture
def _weighed() -> Iterator[None]:
    components.add(Weighed.name, Weighed, origin="this test")
    yield
    components.remove(Weighed.name)


def load_weighed(folder: Path, weights: str | None, calibrated: str) -> rk.Combiner:
    (folder / "rm").mkdir()
    if weights is not None:
        (folder / "rm" / "weights").write_text(weights)
    (folder / "c.json").write_text(json.dumps({"mean": 0, "std": 1, "model": calibrated}))
    (folder / "reward.json").write_text(
        json.dumps({"rewards": {"a": {"use": "weighed", "settings": {"folder": "rm"}, "normalize": "c.json"}}})
    )
    return rk.load(folder / "reward.json")


@pytest.mark.usefixtures("_weighed")
@pytest.mark.parametrize("weights", ["one", "remote"], ids=["the same", "nobody can tell"])
def test_a_calibration_of_these_weights_is_taken(tmp_path: Path, weights: str) -> None:
    component = load_weighed(tmp_path, weights, "one").terms[0].component
    assert component.settings == {"folder": str(tmp_path / "rm")}, "a path starts from the folder of the config"


@pytest.mark.usefixtures("_weighed")
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("other", "rewards.a.normalize: calibrated for the weights one, but 'weighed' has other; calibrate again"),
        (None, "which weights 'weighed' has cannot be told: .*No such file"),
        ("", "which weights 'weighed' has cannot be told: the weights are empty"),
    ],
)
def test_a_calibration_of_other_weights_is_refused(tmp_path: Path, weights: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_weighed(tmp_path, weights, "one")


@pytest.mark.parametrize(
    ("folder", "written", "found"),
    [
        (None, "rm", "rm"),
        (Path(), "./rm", "rm"),
        (Path("conf"), "rm", "conf/rm"),
        (Path("conf"), "../rm", "rm"),
        (Path("conf"), "/abs/rm", "/abs/rm"),
    ],
)
def test_a_path_among_settings_starts_from_the_folder(folder: Path | None, written: str, found: str) -> None:
    made = Weighed.from_settings({"folder": written}, folder)
    assert made.folder == found
    assert Weighed.from_settings(made.settings) == made, "and is not moved again"
