"""The math verifier beside math-verify and TRL's accuracy reward; needs the shared data ($REWARDKIT_DATA).

Four parts: accuracy on labelled cases, rates and latency on real outputs, hostile rows, and agreement of
``rewardkit score`` with the labels of competition outputs. Targets: accuracy at least 98 % on the core cases with at
most 0.1 % false positives and 3 % false negatives, 98.5 % on real responses with a box; at least 50 times
math-verify's rate, 20,000 a second where normal forms settle it, p99 at most 5 ms; no hang and no crash.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from math_judges import Judge, Judged, Pair, arithmetic, available
from rewardkit_math.outcome import Stage
from rewardkit_math.verifier import MathVerifier, verify
from side_by_side import heading, table
from texts import DATA

from rewardkit import Batch, Combiner, Term

OURS = "rewardkit"
PARTS = ("accuracy", "rates", "hostile", "agreement")
COMPUTED = ("hostile_pow", "hostile_factorial")
TAIL = 300


class Case(NamedTuple):
    """One labelled pair. ``expected`` is None where either verdict will do."""

    id: str
    category: str
    pair: Pair
    expected: bool | None
    flag: str


Verdicts: TypeAlias = dict[str, dict[Pair, Judged]]
"""Judge to pair to verdict."""


def rows(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    raw = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()]


def cases(name: str) -> list[Case]:
    """Labelled cases; an answer that comes without a response is put in a box, for every judge."""
    return [
        Case(
            row["id"],
            row["category"],
            (row["response"] if row["kind"] == "response" else rf"\boxed{{{row['answer']}}}", row["gold"]),
            row["expected"],
            "policy" if row["policy"] else "free text" if row["freetext"] else "core",
        )
        for row in rows(name)
    ]


def attacks() -> list[Case]:
    def expected(text: str) -> bool | None:
        return False if text.startswith("score<=0") else True if text.startswith("score==1 (") else None

    return [
        Case(row["id"], row["family"], (row["response"], row["gold"]), expected(row["expected"]), "core")
        for row in rows("attacks.jsonl")
        if row["component"] == "math"
    ]


def sample(found: Sequence[Case], most: int | None) -> list[Case]:
    """Return at most so many cases of each category, the same ones every time."""
    if most is None:
        return list(found)
    by_category = defaultdict(list)
    for case in found:
        by_category[case.category].append(case)
    rng = random.Random(0)
    return [case for group in by_category.values() for case in rng.sample(group, min(most, len(group)))]


def ask(found: Iterable[Case], limit: float, known: Verdicts | None = None) -> Verdicts:
    """Return the verdicts of every judge on what is not known yet: ours alone, then the slow peers side by side."""
    pairs = list(dict.fromkeys(case.pair for case in found))

    def ask_one(name: str) -> dict[Pair, Judged]:
        before = (known or {}).get(name, {})
        with Judge(name, limit) as judge:
            return before | {pair: judge.ask(pair) for pair in pairs if pair not in before}

    ours, *peers = available()
    verdicts = {ours: ask_one(ours)}
    with ThreadPoolExecutor() as threads:
        return verdicts | dict(zip(peers, threads.map(ask_one, peers), strict=True))


# Accuracy


def is_core(*prefixes: str, expected: bool | None = None) -> Callable[[Case], bool]:
    return lambda case: case.flag == "core" and case.category.startswith(prefixes) and expected in (None, case.expected)


def is_boxed_real(case: Case) -> bool:
    return case.flag == "core" and case.category.startswith(("real_", "neg_")) and "\\boxed" in case.pair[0]


FAMILIES: dict[str, Callable[[Case], bool]] = {
    "**core: all but policy and free text**": is_core(""),
    "**core, real with a box**": is_boxed_real,
    "GSM8K": is_core("real_gsm8k"),
    "MATH, real": is_core("real_math"),
    "real negatives": is_core("neg_"),
    "rewritten forms, equal": is_core("forms_", expected=True),
    "rewritten forms, different": is_core("forms_", expected=False),
    "peers' test suites": is_core("suite_"),
    "peers' issues": is_core("issue"),
    "omni, adjudicated": is_core("real_omni_adjudicated"),
    "omni, hard formats": is_core("real_omni_hardformat"),
    "hostile": is_core("hostile_"),
    "policy": lambda case: case.flag == "policy",
    "free text": lambda case: case.flag == "free text",
}


def share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}"[:-1] if whole else "–"


def accuracy_cell(found: Sequence[Case], judged: dict[Pair, Judged]) -> str:
    """Accuracy, false positives among different pairs and false negatives among equal ones, in percent."""
    paid = [judged[case.pair].correct is True for case in found]
    wrongly = sum(said and not case.expected for said, case in zip(paid, found, strict=True))
    refused = sum(bool(case.expected) and not said for said, case in zip(paid, found, strict=True))
    equal = sum(bool(case.expected) for case in found)
    figures = (len(found) - wrongly - refused, len(found)), (wrongly, len(found) - equal), (refused, equal)
    return " / ".join(share(*figure) for figure in figures)


def accuracy(most: int | None, limit: float) -> Verdicts:
    found = sample(cases("math/cases.jsonl.gz"), most)
    verdicts = ask(found, limit)
    lines = []
    for family, holds in FAMILIES.items():
        each = list(filter(holds, found))
        cells = [accuracy_cell(each, judged) for judged in verdicts.values()]
        lines.append([family, f"{len(each):,}", *cells])
    print("Accuracy / false positives / false negatives, in percent; answers without a response are boxed for all.\n")
    table(["cases", "n", *verdicts], lines)
    return verdicts


# Rates


def gsm8k_outputs() -> list[Pair]:
    found = rows("gsm8k/openai_model_solutions.jsonl.gz")
    return [(tried["text"], row["gold_answer"]) for row in found for tried in row["completions"]]


class Output(NamedTuple):
    """One competition output with its harness label."""

    source: str
    id: str
    pair: Pair
    label: bool


def competition_outputs() -> list[Output]:
    found = []
    for path in sorted((DATA / "math_competition").glob("skythought_*.jsonl.gz")):
        source = path.name.removeprefix("skythought_").partition(".")[0]
        for row in rows(f"math_competition/{path.name}"):
            pair = (row["completion"], str(row["gold_answer"]))
            found.append(Output(source, f"{row['id']} {row['model']}", pair, row["harness_correct"]))
    for row in rows("math_competition/qwen_math_bo8_rm_scores.jsonl.gz"):
        for at, tried in enumerate(row["completions"]):
            pair = (tried["text"], str(row["gold_answer"]))
            found.append(Output("best of eight", f"{row['id']} {at}", pair, tried["harness_correct"]))
    return found


def one_by_one(pairs: Sequence[Pair]) -> tuple[list[float], list[bool]]:
    """Seconds of each verdict, and whether normal forms alone settled it."""
    for pair in [*pairs[:100], (r"\boxed{x+y}", "y+x")]:  # the last one loads the formulas
        verify(*pair)
    seconds, by_form = [], []
    for pair in pairs:
        start = time.perf_counter()
        verdict = verify(*pair)
        seconds.append(time.perf_counter() - start)
        by_form.append(verdict.stage in (None, Stage.FORM))
    return seconds, by_form


def batch_seconds(pairs: Sequence[Pair]) -> float:
    reward = Combiner([Term(label="math", component=MathVerifier(), weight=1.0)])
    columns = {"completion": [response for response, _ in pairs], "answer": [gold for _, gold in pairs]}
    times = []
    for _ in range(3):
        # A new batch each time: columns remember what was derived from them.
        start = time.perf_counter()
        reward.score(Batch.from_columns(columns))
        times.append(time.perf_counter() - start)
    return min(times)


def rate_line(name: str, way: str, seconds: Sequence[float], times: str = "–") -> list[str]:
    milliseconds = [f"{np.quantile(seconds, q) * 1e3:.3f}" for q in (0.5, 0.99, 1.0)]
    return [name, way, f"{len(seconds):,}", f"{len(seconds) / sum(seconds):,.0f}", *milliseconds, times]


def rates_of(name: str, pairs: list[Pair], most: int) -> list[list[str]]:
    """Ours on everything, one by one and in one batch, and all judges on one sample of the same outputs."""
    seconds, by_form = one_by_one(pairs)
    batch = batch_seconds(pairs)
    chosen = sorted(random.Random(0).sample(range(len(pairs)), min(most, len(pairs))))
    sampled = {OURS: [seconds[row] for row in chosen]}
    for peer in available()[1:]:
        with Judge(peer) as judge:
            sampled[peer] = [one.seconds for one in judge.ask_all(pairs[row] for row in chosen)]
    base = sum(sampled.get("math-verify", ()))
    return [
        rate_line(name, f"{OURS}, one by one", seconds),
        rate_line(name, "– settled by normal forms", [s for s, fast in zip(seconds, by_form, strict=True) if fast]),
        [name, f"{OURS}, one batch", f"{len(pairs):,}", f"{len(pairs) / batch:,.0f}", *["–"] * 4],
        *(
            rate_line(name, f"{judge}, a sample", taken, f"{base / sum(taken):,.1f}" if base else "–")
            for judge, taken in sampled.items()
        ),
    ]


def rates(most: int) -> None:
    outputs = [output.pair for output in competition_outputs()]
    lines = rates_of("GSM8K", gsm8k_outputs(), most) + rates_of("competitions", outputs, most)
    columns = ["outputs", "way", "n", "a second", "p50 ms", "p99 ms", "max ms", "times math-verify's rate"]
    table(columns, lines)


# Hostile rows


def hostile_line(what: str, name: str, found: Sequence[Case], judged: dict[Pair, Judged]) -> list[str]:
    each = [(case, judged[case.pair]) for case in found]
    ends = [one.end for _, one in each]
    seconds = [one.seconds for _, one in each]
    return [
        what,
        name,
        str(len(each)),
        str(ends.count("hang")),
        str(ends.count("crash")),
        f"{np.quantile(seconds, 0.99):.3f}",
        f"{max(seconds):.3f}",
        str(sum(case.expected is False and one.correct is True for case, one in each)),
        str(sum(case.expected is True and one.correct is not True for case, one in each)),
    ]


def hostile(most: int | None, limit: float, known: Verdicts) -> None:
    """Judge hostile cases (again only where the accuracy part did not), very large ones, and attacks."""
    small = [case for case in cases("math/cases.jsonl.gz") if case.category.startswith("hostile_")]
    sets = {
        "hostile cases": sample(small, most),
        "very large": sample(cases("math/hostile_big.jsonl.gz"), most),
        "attacks": sample(attacks(), most),
    }
    lines = []
    for what, found in sets.items():
        verdicts = ask(found, limit, known)
        lines += [hostile_line(what, name, found, judged) for name, judged in verdicts.items()]
    lines += gmpy2_lines([case for case in sets["hostile cases"] if case.category in COMPUTED], limit)
    columns = ["rows", "judge", "n", "hangs", "crashes", "p99 s", "max s", "paid wrongly", "refused wrongly"]
    table(columns, lines)
    print(f"\nA hang: no verdict after {limit:g} s of wall time; the process was then killed.")


def gmpy2_lines(found: list[Case], limit: float) -> list[list[str]]:
    if not find_spec("gmpy2"):
        print("gmpy2 not installed: powers and factorials are not run with it.\n")
        return []
    with arithmetic(gmpy2=True):
        verdicts = ask(found, limit)
    return [hostile_line("powers, factorials: gmpy2", name, found, judged) for name, judged in verdicts.items()]


# Agreement


def score_by_command(outputs: Sequence[Output]) -> list[bool]:
    """Whether ``rewardkit score math`` pays each output."""
    with tempfile.TemporaryDirectory() as folder:
        data, scored = Path(folder, "outputs.jsonl"), Path(folder, "scored.jsonl")
        with data.open("w", encoding="utf-8") as file:
            for output in outputs:
                file.write(json.dumps({"completion": output.pair[0], "answer": output.pair[1]}) + "\n")
        command = [sys.executable, "-m", "rewardkit.cli", "score", "math", str(data), "-o", str(scored), "--quiet"]
        subprocess.run(command, check=True)
        return [json.loads(line)["reward"] == 1.0 for line in scored.read_text(encoding="utf-8").splitlines()]


def disagreement(output: Output) -> dict[str, Any]:
    verdict = verify(*output.pair)
    return {
        "source": output.source,
        "id": output.id,
        "label": output.label,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "gold": output.pair[1],
        "answer": verdict.extraction and verdict.extraction.answer,
        "rule": verdict.extraction and verdict.extraction.rule,
        "tail": output.pair[0][-TAIL:],
    }


def agreement(most: int | None, to: Path | None) -> None:
    outputs = competition_outputs()[: most and 20 * most]
    paid = score_by_command(outputs)
    by_source: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for output, said in zip(outputs, paid, strict=True):
        by_source[output.source].append((said, output.label))
    lines = []
    for source, each in by_source.items():
        wrong = [sum(said and not label for said, label in each), sum(label and not said for said, label in each)]
        lines.append([source, f"{len(each):,}", share(len(each) - sum(wrong), len(each)), *map(str, wrong)])
    table(["competition outputs", "n", "agree, %", "paid against the label", "refused against the label"], lines)
    if to:
        found = [disagreement(output) for output, said in zip(outputs, paid, strict=True) if said != output.label]
        to.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found), encoding="utf-8")
        print(f"\n{len(found)} disagreements: {to}")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--rows", type=int, help="at most so many cases of each category (default: all)")
    parser.add_argument("--limit", type=float, default=12.0, help="wall seconds after which a verdict is a hang")
    parser.add_argument("--quick", action="store_true", help="one case of each category, few outputs")
    parser.add_argument("--disagreements", type=Path, metavar="FILE", help="write disagreements as JSON lines")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    return chosen


def main() -> None:
    chosen = options()
    heading("Math verifier", "rewardkit-math", "math-verify", "trl", "sympy", "gmpy2")
    if not (DATA / "math" / "cases.jsonl.gz").exists():
        sys.exit(f"no evaluation data: {DATA} holds no math/cases.jsonl.gz (set REWARDKIT_DATA)")
    for name in {"math-verify": "math-verify", "TRL": "trl"}.keys() - set(available()):
        print(f"{name} not installed: pip install math-verify trl==1.16.0\n")
    parts = chosen.parts or PARTS
    most = 1 if chosen.quick else chosen.rows
    verdicts: Verdicts = {}
    with arithmetic(gmpy2=False):
        if "accuracy" in parts:
            verdicts = accuracy(most, chosen.limit)
            print()
        if "rates" in parts:
            rates(20 if chosen.quick else 400)
            print()
        if "hostile" in parts:
            hostile(most, chosen.limit, verdicts)
            print()
        if "agreement" in parts:
            agreement(1 if chosen.quick else None, chosen.disagreements)


if __name__ == "__main__":
    main()
