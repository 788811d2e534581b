"""The promises of the repository: its layout, its metadata, and what a stranger can install."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = sorted((ROOT / "plugins").glob("rewardkit-*"))
SOURCES = [*ROOT.glob("rewardkit/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]

COMPONENTS = {
    "tags",
    "think_format",
    "think_answer_format",
    "boxed_format",
    "answer_template",
    "regex_format",
    "json_format",
    "code_block_format",
    "length_limit",
    "soft_overlong",
    "cosine_length",
    "length_range",
    "group_length",
    "ngram_repetition",
    "reasoning_markers",
    "keywords",
    "language",
    "instructions",
    "math",
    "math_verify",
    "reward_model",
}
SCHEDULES = {"constant", "linear", "cosine", "staged", "warmup", "competence"}


def read_toml(path: Path) -> dict:
    return tomllib.loads(path.read_text())


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
class TestEveryPluginLooksLikeAThirdPartys:
    def test_pyproject_holds_build_system_project_and_package_only(self, plugin: Path) -> None:
        toml = read_toml(plugin / "pyproject.toml")
        assert set(toml) == {"build-system", "project", "tool"}
        assert toml["tool"] == {"hatch": {"build": {"targets": {"wheel": {"packages": [f"src/{package(plugin)}"]}}}}}

    def test_entry_point_names_the_package(self, plugin: Path) -> None:
        points = read_toml(plugin / "pyproject.toml")["project"]["entry-points"]["rewardkit"]
        assert points == {plugin.name.removeprefix("rewardkit-"): package(plugin)}

    def test_package_is_typed_and_documented(self, plugin: Path) -> None:
        assert (plugin / "src" / package(plugin) / "py.typed").exists()
        assert len((plugin / "README.md").read_text()) > 500
        assert list((plugin / "tests").glob("test_*.py"))

    def test_init_is_light(self, plugin: Path) -> None:
        tree = ast.parse((plugin / "src" / package(plugin) / "__init__.py").read_text())
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {getattr(node, "module", None) or node.names[0].name for node in imports}
        assert modules <= {"rewardkit", "__future__", "collections.abc", "typing"}

    def test_core_extra_names_the_distribution(self, plugin: Path) -> None:
        extras = read_toml(ROOT / "pyproject.toml")["project"]["optional-dependencies"]
        short = plugin.name.removeprefix("rewardkit-")
        assert extras[short] == [plugin.name]
        assert short in re.split(r"[\[\],]", extras["all"][0])

    def test_development_install_names_it(self, plugin: Path) -> None:
        assert re.search(rf"^-e plugins/{plugin.name}\b", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)


def package(plugin: Path) -> str:
    return plugin.name.replace("-", "_")


def test_test_files_have_unique_names() -> None:
    names = [path.name for path in ROOT.glob("**/tests/**/test_*.py") if ".venv" not in path.parts]
    assert sorted(names) == sorted(set(names))


def test_core_imports_no_plugin_torch_or_trainer() -> None:
    heavy = {"torch", "transformers", "scipy", "matplotlib", "sympy", "trl", "verl"} | {
        package(plugin) for plugin in PLUGINS
    }
    for path in ROOT.glob("rewardkit/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & heavy, path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_all_is_sorted_and_every_module_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module says what it holds"
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
            assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))


def test_nothing_evaluates_text() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile"}, path


def run(*command: str | Path, **kwargs: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **kwargs)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of core, plugins and the example plugin, with everything that they need."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = [ROOT, *PLUGINS, ROOT / "examples" / "rewardkit-pleasantries"]
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--wheel-dir",
        folder,
        "-c",
        ROOT / "constraints.txt",
        *sources,
        "pyarrow",
    )
    return folder


@pytest.fixture(scope="session")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    return folder / "bin"


def test_wheels_in_an_empty_environment_provide_every_component(wheelhouse: Path, empty_environment: Path) -> None:
    python = empty_environment / "python"
    offline = ["--quiet", "--no-index", "--find-links", wheelhouse]
    run(python, "-m", "pip", "install", *offline, "rewardkit[all]", cwd=empty_environment)
    listed = json.loads(run(empty_environment / "rewardkit", "list", "--json", cwd=empty_environment))
    assert {entry["name"] for entry in listed if entry["kind"] == "component"} == COMPONENTS
    assert {entry["name"] for entry in listed if entry["kind"] == "schedule"} == SCHEDULES

    run(python, "-m", "pip", "install", *offline, "rewardkit-pleasantries", cwd=empty_environment)
    script = (
        "import rewardkit; batch = rewardkit.Batch.from_columns(completion=['Sure! 4. I hope this helps!']);"
        "print(rewardkit.load('pleasantries').score(batch).totals.tolist())"
    )
    assert run(python, "-c", script, cwd=empty_environment).strip() == "[-1.0]"


def test_a_plugin_is_type_checked_from_outside(tmp_path: Path) -> None:
    plugin = tmp_path / "outside.py"
    plugin.write_text(
        "from typing import ClassVar\n"
        "from rewardkit import Columns, Component\n\n"
        "class Brief(Component):\n"
        '    name: ClassVar[str] = "brief"\n'
        "    limit: int = 10\n\n"
        "    class Inputs(Columns):\n"
        "        completion: list[str]\n\n"
        "    def score(self, inputs: Inputs) -> list[float]:\n"
        "        return [float(len(text) < self.limit) for text in inputs.completion]\n"
    )
    run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", plugin, cwd=tmp_path)
