"""Plugins as pip leaves them: real distributions, found by importlib.metadata in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rewardkit import hookspecs

HEAD = """
from typing import ClassVar
import click
import rewardkit
from rewardkit import Columns, Component, Schedule, hookimpl

def component(name, module=__name__):
    class Made(Component):
        pass
    body = {"__module__": module, "__qualname__": name, "name": name, "__annotations__": {"name": ClassVar[str]},
            "Inputs": type("Inputs", (Columns,), {"__module__": module, "__annotations__": {"completion": list[str]}}),
            "score": lambda self, inputs: [1.0] * len(inputs)}
    return type(Component)(name, (Component,), body)
"""

GOOD = """
from zoo_reward import flat

class Late(Schedule):
    name: ClassVar[str] = "zoo_late"
    def weight(self, step, state=None): return float(step > 10)
    def final(self): return 1.0

seen = []

@hookimpl
def rewardkit_components(): return [component("zoo_b"), flat, component("zoo_a")]

@hookimpl
def rewardkit_schedules(): return [Late]

@hookimpl
def rewardkit_commands(): return [click.Command("zoo-two"), click.Command("zoo-one")]

@hookimpl
def rewardkit_probes(): return ({"name": name, "completion": ""} for name in ("zoo_y", "zoo_x"))

@hookimpl
def rewardkit_rewards(rewards): seen.append(rewards.totals.tolist())
"""

# Entry-point name to module source; the distribution is "zoo-NAME 1.2" and the module "zoo_NAME".
ZOO = {
    "good": GOOD,
    "raises": "raise ImportError('libcuda.so.1: cannot open\\n shared object')",
    "exits": "raise SystemExit(2)",
    "signature": "@hookimpl\ndef rewardkit_rewards(rewards, batch): pass",
    "misspelt": "@hookimpl\ndef rewardkit_component(): return []",
    "unmarked": "def rewardkit_components(): return []",
    "unprefixed": "@hookimpl\ndef components(): return []",
    "wrapper": "@hookimpl(wrapper=True)\ndef rewardkit_components(): return (yield)",
    "rubbish": """
@hookimpl
def rewardkit_components(): return [3, Component, component, type("Base", (Component,), {}), component("zoo_kept")]
@hookimpl
def rewardkit_schedules(): return None
@hookimpl
def rewardkit_commands(): return ["zoo-text"]
@hookimpl
def rewardkit_probes(): return [{"family": "x"}, 5, {"name": 5}]
""",
    "hook_raises": """
@hookimpl
def rewardkit_components(): return [component("zoo_lost"), 1 / 0]
@hookimpl
def rewardkit_schedules():
    class Kept(Schedule):
        name: ClassVar[str] = "zoo_kept_schedule"
    return [Kept]
""",
    "claim_a": """
@hookimpl
def rewardkit_components(): return [component("zoo_claimed"), component("zoo_only_a")]
@hookimpl
def rewardkit_commands(): return [click.Command("zoo-claimed")]
""",
    "claim_b": """
@hookimpl
def rewardkit_components(): return [component("zoo_claimed"), component("zoo_only_b")]
@hookimpl
def rewardkit_commands(): return [click.Command("zoo-claimed"), click.Command("zoo-kept")]
""",
    "same_a": "@hookimpl\ndef rewardkit_components(): return [component('zoo_same', 'zoo_shared')]",
    "same_b": "@hookimpl\ndef rewardkit_components(): return [component('zoo_same', 'zoo_shared')]",
    "user": "@hookimpl\ndef rewardkit_components(): return [component('zoo_user_1'), component('zoo_user_2')]",
    "reenters": """
from rewardkit.plugins import plugins
names = [plugin.name for plugin in plugins()]
assert "reenters" in names
@hookimpl
def rewardkit_components():
    rewardkit.load(component("zoo_inner")())
    return [component("zoo_outer")]
""",
    "observer_raises": "@hookimpl\ndef rewardkit_rewards(rewards): raise RuntimeError('tracker is down')",
    "observer_bare": "calls = []\n@hookimpl\ndef rewardkit_rewards(): calls.append(1)",
    "object": """
class Plugin:
    @hookimpl
    def rewardkit_components(self): return [component("zoo_of_object")]
plugin = Plugin()
""",
}
VALUES = {"object": "zoo_object:plugin"}


def install(folder: Path, distribution: str, points: dict[str, str]) -> None:
    """Write what pip writes into site-packages for a distribution with these entry points."""
    info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[rewardkit]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "zoo_reward.py").write_text(
        "import rewardkit\n@rewardkit.reward(name='zoo_flat')\ndef flat(response): return 0.5\n"
    )
    for name, source in ZOO.items():
        (folder / f"zoo_{name}.py").write_text(HEAD + source)
        install(folder, f"zoo-{name.replace('_', '-')}", {name: VALUES.get(name, f"zoo_{name}")})
    install(folder, "zoo-missing", {"missing": "zoo_missing"})
    (folder / "zoo_twin.py").write_text(HEAD + "raise AssertionError('never imported')")
    install(folder, "zoo-twin-one", {"twin": "zoo_twin"})
    install(folder, "zoo-twin-two", {"twin": "zoo_twin"})
    return folder


def run(site: Path, script: str, disable: str = "") -> Any:
    """Run a script where those distributions are installed, and return what it puts into ``out``."""
    environment = os.environ | {"PYTHONPATH": str(site), "REWARDKIT_DISABLE_PLUGINS": disable}
    source = f"import json, sys\nout = {{}}\n{script}\nsys.stdout.write(json.dumps(out))"
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SCRIPT = """
import logging, pickle
import rewardkit
from rewardkit.errors import RewardKitError
from rewardkit.plugins import commands, observers, plugins, probes
from rewardkit.registry import components, schedules

def told(function, *args):
    try:
        return str(function(*args))
    except RewardKitError as error:
        return str(error)

rewardkit.register_reward_function("zoo_user_1", lambda response: 0.0)
zoo = [plugin for plugin in plugins() if plugin.distribution.startswith("zoo")]
out["plugins"] = {plugin.name: [str(plugin), plugin.provides, list(plugin.problems)] for plugin in zoo}
out["order"] = [p.name for p in plugins()]
out["components"] = [name for name in components if name[:3] == "zoo"]
out["schedules"] = [name for name in schedules if name[:3] == "zoo"]
out["origin"] = list(components.entry("zoo_a")[1:])
lines = ("zoo_lost", "zoo_lost + zoo_lots", "zoo_claimed", "zoo_same", "zoo_user_1")
out["told"] = {line: told(rewardkit.load, line) for line in lines}
out["later"] = told(rewardkit.register_reward_function, "zoo_user_2", lambda response: 0.0)
for _ in range(2):  # asking twice changes nothing
    out["commands"] = [command.name for command in commands()]
    out["probes"] = [probe["name"] for probe in probes()]
out["after"] = {plugin.name: plugin.problems for plugin in zoo}
out["observers"] = [repr(observer) for observer in observers()]

records = []
handler = logging.Handler()
handler.emit = lambda record: records.append([record.getMessage(), str(record.exc_info[1])])
logging.getLogger("rewardkit").addHandler(handler)
own = []
combiner = rewardkit.load("zoo_flat + 2*zoo_a", observers=[lambda rewards: own.append(1)])
rewards = combiner.score(rewardkit.Batch.from_columns(completion=["x", "y"]))
import zoo_good, zoo_observer_bare
out["seen"] = [zoo_good.seen, zoo_observer_bare.calls, own, rewards.totals.tolist(), records]
identity = rewards.identity["zoo_a"]
out["identity"] = [identity.name, identity.version, identity.distribution]
out["pickled"] = [repr(observer) for observer in pickle.loads(pickle.dumps(observers()))] == out["observers"]
"""


@pytest.fixture(scope="module")
def zoo(site: Path) -> Any:
    return run(site, SCRIPT)


def problems(zoo: Any, name: str) -> list[str]:
    return list(zoo["plugins"][name][2])


HOOKS = "rewardkit_components, rewardkit_schedules, rewardkit_commands, rewardkit_probes, rewardkit_rewards"

PROBLEMS = {
    "good": [],
    "raises": ["ImportError: libcuda.so.1: cannot open shared object"],
    "exits": ["SystemExit: 2"],
    "missing": ["ModuleNotFoundError: No module named 'zoo_missing'"],
    "misspelt": [f"rewardkit_component is no hook; did you mean rewardkit_components? Hooks: {HOOKS}"],
    "unmarked": ["rewardkit_components is not marked: put @rewardkit.hookimpl before it"],
    "unprefixed": [f"components is no hook; did you mean rewardkit_components? Hooks: {HOOKS}"],
    "wrapper": ["rewardkit_components must not be a wrapper"],
    "rubbish": [
        "rewardkit_components returned 3, which is no component with a name",
        "rewardkit_components returned <class 'rewardkit.component.Component'>, which is no component with a name",
        "rewardkit_components returned <function component at ",
        "rewardkit_components returned <class 'abc.Base'>, which is no component with a name",
        "rewardkit_schedules failed: TypeError: 'NoneType' object is not iterable",
    ],
    "hook_raises": ["rewardkit_components failed: ZeroDivisionError: division by zero"],
    "twin": ["entry point 'twin' is claimed by zoo-twin-one 1.2 and by zoo-twin-two 1.2"],
    "claim_a": [],
    "claim_b": [
        "component 'zoo_claimed' is provided twice: by zoo-claim-a 1.2 (claim_a = zoo_claim_a) "
        "and by zoo-claim-b 1.2 (claim_b = zoo_claim_b)"
    ],
    "same_b": [],
    "reenters": [],
    "object": [],
}


@pytest.mark.parametrize(("name", "expected"), PROBLEMS.items(), ids=PROBLEMS)
def test_what_went_wrong_is_told_for_each_plugin(zoo: Any, name: str, expected: list[str]) -> None:
    found = problems(zoo, name)
    assert len(found) == len(expected), found
    assert all(text.startswith(part) for text, part in zip(found, expected, strict=True)), found


def test_a_bad_signature_names_the_plugin_the_hook_and_the_argument(zoo: Any) -> None:
    (problem,) = problems(zoo, "signature")
    assert all(part in problem for part in ("'signature'", "'rewardkit_rewards'", "{'batch'}"))


def test_a_plugin_says_where_it_comes_from(zoo: Any) -> None:
    assert zoo["plugins"]["good"][0] == "zoo-good 1.2 (good = zoo_good)"
    assert zoo["origin"] == ["zoo-good 1.2 (good = zoo_good)", "zoo-good 1.2"]
    assert zoo["identity"] == ["zoo_a", "1", "zoo-good 1.2"]


def test_plugins_and_names_are_sorted(zoo: Any) -> None:
    assert zoo["order"] == sorted(zoo["order"])
    assert zoo["plugins"]["good"][1] == ["zoo_a", "zoo_b", "zoo_flat", "zoo_late"]
    assert [zoo["plugins"][name][1] for name in ("claim_a", "claim_b")] == [["zoo_only_a"], ["zoo_only_b"]]


def test_rewardkit_components_are_known_by_name_whatever_other_plugins_do(zoo: Any) -> None:
    expected = "zoo_a zoo_b zoo_flat zoo_kept zoo_of_object zoo_only_a zoo_only_b zoo_outer zoo_same zoo_user_2"
    assert zoo["components"] == expected.split()


def test_rewardkit_schedules_are_known_by_name(zoo: Any) -> None:
    assert zoo["schedules"] == ["zoo_kept_schedule", "zoo_late"]


def test_rewardkit_commands_are_sorted_and_a_name_that_two_claim_is_left_out(zoo: Any) -> None:
    assert zoo["commands"] == ["math", "rm", "zoo-kept", "zoo-one", "zoo-two"]
    assert zoo["after"]["rubbish"][-4] == "rewardkit_commands returned 'zoo-text', which is no command with a name"
    assert zoo["after"]["claim_b"][1] == (
        "command 'zoo-claimed' is provided twice: by zoo-claim-a 1.2 (claim_a = zoo_claim_a) "
        "and by zoo-claim-b 1.2 (claim_b = zoo_claim_b)"
    )


def test_a_problem_is_kept_once_however_often_a_hook_is_asked(zoo: Any) -> None:
    assert all(len(problems) == len(set(problems)) for problems in zoo["after"].values())


def test_rewardkit_probes_are_sorted_and_need_a_name(zoo: Any) -> None:
    assert [name for name in zoo["probes"] if name.startswith("zoo_")] == ["zoo_x", "zoo_y"]
    assert zoo["probes"] == sorted(zoo["probes"])
    assert zoo["after"]["rubbish"][-3:] == [
        "rewardkit_probes returned {'family': 'x'}, which is no probe with a name",
        "rewardkit_probes returned 5, which is no probe with a name",
        "rewardkit_probes returned {'name': 5}, which is no probe with a name",
    ]


def test_rewardkit_rewards_sees_every_result_and_a_failure_loses_nothing(zoo: Any) -> None:
    good, bare, own, totals, records = zoo["seen"]
    assert totals == [2.5, 2.5]
    assert (good, bare, own) == ([[2.5, 2.5]], [1], [1])
    who = "observer rewardkit_rewards of zoo-observer-raises 1.2 (observer_raises = zoo_observer_raises)"
    assert records == [[f"{who} failed; the rewards are not affected", "tracker is down"]]


def test_observers_are_those_of_working_plugins_and_pickle(zoo: Any) -> None:
    names = [name.split("(")[1].split(" ")[0] for name in zoo["observers"]]
    assert names == ["good", "observer_bare", "observer_raises"]
    assert zoo["pickled"]


def test_every_hook_of_the_contract_has_a_test() -> None:
    hooks = [name for name in vars(hookspecs) if name.startswith("rewardkit_")]
    assert len(hooks) == 5
    assert all(any(name.startswith(f"test_{hook}_") for name in globals()) for hook in hooks)


def test_a_name_that_a_failed_plugin_may_provide_says_so(zoo: Any) -> None:
    told = zoo["told"]["zoo_lost"]
    assert "unknown component 'zoo_lost'" in told
    assert ". A plugin that failed may provide it: " in told
    assert "zoo-raises 1.2 (raises = zoo_raises): ImportError: libcuda.so.1: cannot open shared object" in told


def test_that_hint_is_given_once_for_many_unknown_names(zoo: Any) -> None:
    told = zoo["told"]["zoo_lost + zoo_lots"]
    assert told.count("unknown component") == 2
    assert told.count("A plugin that failed may provide it") == 1


def test_a_component_that_two_distributions_provide_names_both(zoo: Any) -> None:
    assert zoo["told"]["zoo_claimed"] == (
        "line 'zoo_claimed': rewards.zoo_claimed.use: component 'zoo_claimed' is provided twice: "
        "by zoo-claim-a 1.2 (claim_a = zoo_claim_a) and by zoo-claim-b 1.2 (claim_b = zoo_claim_b)"
    )


def test_the_same_module_and_qualified_name_again_replaces(zoo: Any) -> None:
    assert zoo["told"]["zoo_same"] == "Combiner(zoo_same)"


def test_a_users_reward_and_a_plugins_of_one_name_name_both_in_either_order(zoo: Any) -> None:
    first = "component 'zoo_user_1' is provided twice: by __main__.<lambda> and by zoo-user 1.2 (user = zoo_user)"
    assert zoo["plugins"]["user"][1:] == [["zoo_user_2"], [first]]
    assert zoo["told"]["zoo_user_1"].endswith(first)
    assert zoo["later"] == (
        "component 'zoo_user_2' is provided twice: by zoo-user 1.2 (user = zoo_user) and by __main__.<lambda>"
    )


LISTED = """
from rewardkit.plugins import plugins
from rewardkit.registry import components
import rewardkit
from rewardkit.errors import ConfigError
out["disabled"] = {p.name: p.disabled for p in plugins()}
out["imported"] = sorted(name for name in sys.modules if name[:4] == "zoo_" or name[:10] == "rewardkit_")
out["components"] = list(components)
try:
    rewardkit.load("zoo_a")
except ConfigError as error:
    out["told"] = str(error)
"""


def test_a_switch_disables_all_plugins_and_none_is_imported(site: Path) -> None:
    found = run(site, LISTED, disable="1")
    assert all(found["disabled"].values())
    assert len(found["disabled"]) > len(ZOO)
    assert (found["imported"], found["components"]) == ([], [])
    assert "Disabled by REWARDKIT_DISABLE_PLUGINS: audit, claim_a, claim_b," in found["told"]


def test_a_switch_disables_plugins_by_name(site: Path) -> None:
    found = run(site, LISTED, disable="good, raises,nothing")
    assert [name for name, disabled in found["disabled"].items() if disabled] == ["good", "raises"]
    assert not {"zoo_good", "zoo_raises"} & set(found["imported"])
    assert "zoo_only_a" in found["components"]
    assert found["told"].endswith(". Disabled by REWARDKIT_DISABLE_PLUGINS: good, raises")
    assert "libcuda" not in found["told"]


THREADS = """
import threading
sys.setswitchinterval(1e-6)
import rewardkit
barrier, hashes, errors = threading.Barrier(8), set(), []
def first():
    barrier.wait()
    try:
        hashes.add(rewardkit.load("zoo_flat + 2*zoo_a - 0.5*zoo_b").config_hash)
    except Exception as error:
        errors.append(repr(error))
threads = [threading.Thread(target=first) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
out["hashes"], out["errors"] = len(hashes), errors
"""


def test_the_first_load_is_safe_from_many_threads_at_once(site: Path) -> None:
    for _ in range(3):
        assert run(site, THREADS) == {"hashes": 1, "errors": []}
