"""Every example of the README runs: Python, YAML and shell."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rewardkit
from rewardkit.testing import run_case_file

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(TEXT) if kind == language]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the README's YAML blocks name, and rollouts beside them."""
    for body in blocks("yaml"):
        (tmp_path / body.splitlines()[0].removeprefix("# ")).write_text(body)
    shutil.copy(ROOT / "examples" / "rollouts.jsonl", tmp_path)
    return tmp_path


def test_python_examples_run_in_order(tmp_path: Path) -> None:
    (tmp_path / "tour.py").write_text("\n".join(blocks("python")))
    done = subprocess.run([sys.executable, "tour.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_yaml_examples_load_and_pass(folder: Path) -> None:
    assert rewardkit.load(folder / "reward.yaml").labels == ("correct", "format", "overlong", "repeat")
    assert all(result.passed for result in run_case_file(folder / "math.cases.yaml"))


COMMANDS = [line for body in blocks("sh") for line in body.splitlines() if re.match(r"rewardkit (?!rm )", line)]
"""All but those of reward models, which follow one another: see the tests of that plugin."""


@pytest.mark.parametrize("command", COMMANDS)
def test_command_runs(command: str, folder: Path) -> None:
    words = shlex.split(command, comments=True)
    program = Path(sys.executable).parent / words[0]
    done = subprocess.run([program, *words[1:]], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
