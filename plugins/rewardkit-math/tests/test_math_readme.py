"""The README's examples run, and it names every setting, outcome and rule."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import yaml
from click.testing import CliRunner
from rewardkit_math.math_verify import MathVerify
from rewardkit_math.outcome import Outcome, Rule
from rewardkit_math.verifier import MathVerifier

from rewardkit.cli.group import rewardkit

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")


def test_the_python_examples_give_what_they_show() -> None:
    failures, tried = doctest.testfile(str(README), module_relative=False)
    assert tried >= 8
    assert not failures


def test_the_command_prints_what_is_shown() -> None:
    (block,) = re.findall(r"```console\n\$ rewardkit (.*?)```", TEXT, re.DOTALL)
    command, _, shown = block.partition("\n")
    assert CliRunner().invoke(rewardkit, shlex.split(command)).stdout == shown


def test_the_yaml_examples_hold_valid_settings() -> None:
    first, second = [yaml.safe_load(block)["rewards"] for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
    assert first["correct"]["use"] == MathVerifier.name
    assert MathVerifier.from_settings(first["correct"]["settings"]) == MathVerifier(strict_box=True)
    assert [term["use"] for term in second.values()] == [MathVerifier.name, MathVerify.name]


def test_every_setting_outcome_and_rule_is_named_with_its_default() -> None:
    for name, field in MathVerifier.model_fields.items():
        default = {None: "null", True: "true", False: "false"}.get(field.default, field.default)
        assert f"| `{name}` | `{default}` |" in TEXT
    for member in [*Outcome, *Rule]:
        assert f"`{member}`" in TEXT
