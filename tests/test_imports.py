"""What an import may pull in, and what listing components may: each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "accelerate",
    "asyncio",
    "click",
    "datasets",
    "hydra",
    "hypothesis",
    "jinja2",
    "jsonschema",
    "matplotlib",
    "multiprocessing",
    "numba",
    "omegaconf",
    "pandas",
    "pyarrow",
    "pytest",
    "peft",
    "ray",
    "rich",
    "scipy",
    "sympy",
    "torch",
    "transformers",
    "trl",
    "verl",
    "yaml",
}


def imported(script: str) -> set[str]:
    """Return the modules that a script imports, but those that the interpreter brings along."""
    source = (
        f"import json, sys\nbefore = set(sys.modules)\n{script}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def top(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("script", ["import rewardkit", "import rewardkit; rewardkit.load"])
def test_importing_the_core_is_light(script: str) -> None:
    modules = imported(script)
    assert "rewardkit" in modules
    assert not top(modules) & HEAVY
    assert not {module for module in modules if module.startswith("importlib.metadata")}, "no scan of entry points"


def test_what_the_core_imports_of_others() -> None:
    """Every name here is paid for at each start: add one only on purpose."""
    found = {name for name in top(imported("import rewardkit")) if not name.startswith("_")}
    assert found - sys.stdlib_module_names == {
        "annotated_types",
        "numpy",
        "orjson",
        "pluggy",
        "pydantic",
        "pydantic_core",
        "rewardkit",
        "typing_extensions",
        "typing_inspection",
    }


def test_listing_everything_imports_no_heavy_module() -> None:
    modules = imported(
        "from rewardkit.plugins import plugins\n"
        "from rewardkit.registry import components, schedules\n"
        "assert plugins() and len(components) and len(schedules) > 1"
    )
    assert not top(modules) & HEAVY


@pytest.mark.parametrize(
    ("script", "module"),
    [("rewardkit.load('constantly')", "yaml"), ("rewardkit.load({})", "rewardkit.line")],
)
def test_a_reference_loads_only_what_it_needs(script: str, module: str) -> None:
    modules = imported(f"import rewardkit\ntry:\n    {script}\nexcept rewardkit.errors.ConfigError:\n    pass")
    assert module not in modules
