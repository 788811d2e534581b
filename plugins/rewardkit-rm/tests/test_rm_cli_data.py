"""``rewardkit rm data``: what its commands write and print, and what they refuse."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result
from tiny_models import save_base, tiny_scorer

from rewardkit.cli.group import rewardkit as command_line

ROOT = Path(__file__).parents[3]


def run(*args: Any) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(
        command_line, ["rm", "data", *map(str, args)], catch_exceptions=False
    )


def rows_of(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pair(number: int, **columns: Any) -> dict[str, Any]:
    sides = [f"yes indeed {number}", f"no {number}"]
    return {"prompt": f"prompt {number}", "chosen": sides[number % 2], "rejected": sides[1 - number % 2], **columns}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    domains = ["math", "code"]
    return write(tmp_path / "pairs.jsonl", [pair(n, domain=domains[n // 2 % 2], source="x") for n in range(200)])


class TestCheck:
    def test_sound_data_pass(self, data: Path) -> None:
        done = run("check", data)
        assert done.exit_code == 0
        assert re.search(r"math +100 +100 +0 +50 % +40 % to 60 %", done.stdout)
        assert re.search(r"all +200 +200 +0 +50 % +43 % to 57 %", done.stdout)
        assert done.stdout.endswith("nothing to report; 200 pairs read\n")

    def test_an_error_is_exit_code_1_and_says_what_follows(self, data: Path, tmp_path: Path) -> None:
        other = write(tmp_path / "other.jsonl", [pair(7), pair(900)])
        done = run("check", data, "--against", other)
        assert done.exit_code == 1
        text = " ".join(done.stdout.split())
        assert "error leakage 1 prompt of 1 pair (0.5 %) also in" in text
        assert f"{data}:8" in re.sub(r"\s", "", done.stdout)
        assert text.endswith("1 error; 200 pairs read do not train on this")

    def test_json_holds_everything(self, data: Path) -> None:
        data.write_text(data.read_text() + json.dumps(pair(3) | {"domain": "code"}) + "\n")
        report = json.loads(run("check", data, "--json").stdout)
        assert report["total"]["pairs"] == 201
        assert set(report["domains"]) == {"math", "code"}
        [finding] = report["findings"]
        assert (finding["check"], finding["level"], finding["examples"]) == ("duplicates", "warning", [f"{data}:201"])

    def test_places_in_one_file_are_named_once(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.jsonl", [pair(1)] * 3 + [pair(n) for n in range(2, 40)])
        done = run("check", path)
        assert f"{path}:2,3" in re.sub(r"\s", "", done.stdout)

    def test_a_tokenizer_that_sees_no_difference_is_found_without_reading_weights(self, tmp_path: Path) -> None:
        model = Path(save_base(tmp_path / "model"))
        lines = [pair(n) for n in range(40)]
        long = "word " * 60
        lines += [{"prompt": "p", "chosen": long + "a", "rejected": long + "b"}]
        data = write(tmp_path / "a.jsonl", lines)
        assert "nothing to report" in run("check", data).stdout
        done = run("check", data, "--model", model, "--max-length", "64")
        assert "a side that does not fit into the model" in " ".join(done.stdout.split())

    def test_a_saved_reward_model_brings_its_own_length(self, tmp_path: Path) -> None:
        from rewardkit_rm.models.loading import save
        from rewardkit_rm.models.settings import EncodingSettings

        save(tiny_scorer(tmp_path / "base", encoding=EncodingSettings(max_length=48)), tmp_path / "rm")
        data = write(tmp_path / "a.jsonl", [pair(0), {"prompt": "p", "chosen": "word " * 60, "rejected": "b"}])
        done = run("check", data, "--model", tmp_path / "rm", "--json")
        assert [finding["check"] for finding in json.loads(done.stdout)["findings"]] == ["unfit"]

    def test_a_length_without_a_tokenizer_is_refused(self, data: Path) -> None:
        done = run("check", data, "--max-length", "64")
        assert done.exit_code == 2
        assert "--max-length needs --model" in done.stderr

    def test_broken_rows_and_missing_files_are_named(self, data: Path, tmp_path: Path) -> None:
        data.write_text(data.read_text() + '{"prompt": "p", "chosen": "c"}\n')
        done = run("check", data)
        assert (done.exit_code, done.stderr) == (
            2,
            f"error: {data}:201: rejected is missing: a pair needs both chosen and rejected\n",
        )
        assert "cannot be read" in run("check", tmp_path / "none.jsonl").stderr

    def test_columns_of_other_names_are_mapped(self, tmp_path: Path) -> None:
        rows = [{"q": f"q{n}", "answers": [f"a{n}", f"b{n}"]} for n in range(5)]
        path = write(tmp_path / "a.jsonl", rows)
        done = run("check", path, "--map", "prompt=q", "--map", "chosen=answers.0", "--map", "rejected=answers.1")
        assert done.stdout.endswith("nothing to report; 5 pairs read\n")

    def test_a_folder_of_datasets_is_read(self, tmp_path: Path) -> None:
        datasets = pytest.importorskip("datasets")
        datasets.disable_progress_bars()
        datasets.Dataset.from_list([pair(n) for n in range(6)]).save_to_disk(tmp_path / "d")
        assert "6 pairs read" in run("check", tmp_path / "d").stdout

    def test_many_domains_are_cut_off_and_counted(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.jsonl", [pair(n, domain=f"d{n}") for n in range(50)])
        assert re.search(r"^30 more *$", run("check", path).stdout, re.MULTILINE)

    def test_a_name_cannot_disturb_the_screen(self, tmp_path: Path) -> None:
        names = ["[bold]x[/bold]", "\x1b[2Jgone"]
        path = write(tmp_path / "a.jsonl", [pair(n, domain=names[n % 2]) for n in range(80)])
        done = run("check", path)
        assert "[bold]x[/bold]" in done.stdout
        assert "\x1b" not in done.stdout


class TestSplit:
    def test_rows_are_kept_as_they_were_each_prompt_in_one_file(self, data: Path, tmp_path: Path) -> None:
        data.write_text(data.read_text() + json.dumps(pair(3, prompt="PROMPT  5", more=[1])) + "\n")
        done = run("split", data, "-o", tmp_path / "out", "--share", "train=0.5", "--share", "dev=0.5")
        assert done.exit_code == 0
        parts = [rows_of(tmp_path / "out" / f"{name}.jsonl") for name in ("train", "dev")]
        assert sorted(map(json.dumps, parts[0] + parts[1])) == sorted(map(json.dumps, rows_of(data)))
        prompts = [{" ".join(row["prompt"].casefold().split()) for row in part} for part in parts]
        assert not prompts[0] & prompts[1]
        assert re.search(
            rf"all +{len(parts[0])} \({len(prompts[0])}\) +{len(parts[1])} \({len(prompts[1])}\)", done.stdout
        )

    def test_added_rows_do_not_move_a_prompt(self, data: Path, tmp_path: Path) -> None:
        run("split", data, "-o", tmp_path / "a")
        write(data, [pair(n) for n in range(500, 100, -1)])
        run("split", data, "-o", tmp_path / "b")
        before, after = ({row["prompt"] for row in rows_of(tmp_path / n / "validation.jsonl")} for n in "ab")
        assert {prompt for prompt in after if int(prompt.split()[1]) < 200} <= before
        assert after - before

    def test_rankings_stay_whole(self, tmp_path: Path) -> None:
        rows = [{"prompt": f"p{n}", "responses": ["a", "b", "c"]} for n in range(40)]
        done = run(
            "split", write(tmp_path / "a.jsonl", rows), "-o", tmp_path / "out", "--share", "a=0.5", "--share", "b=0.5"
        )
        parts = [rows_of(tmp_path / "out" / f"{name}.jsonl") for name in "ab"]
        assert len(parts[0]) + len(parts[1]) == 40
        assert f"{3 * len(parts[0])} ({len(parts[0])})" in done.stdout

    def test_a_domain_that_a_split_misses_is_told(self, data: Path, tmp_path: Path) -> None:
        data.write_text(data.read_text() + json.dumps(pair(1000, domain="rare")) + "\n")
        assert re.search(r"rare: no prompt in (train|validation)", run("split", data, "-o", tmp_path / "out").stderr)

    def test_a_split_that_gets_nothing_is_refused_and_nothing_is_left(self, tmp_path: Path) -> None:
        data = write(tmp_path / "a.jsonl", [pair(0)])
        done = run("split", data, "-o", tmp_path / "out")
        assert done.exit_code == 2
        assert re.search(r"(train|validation) gets no prompt: too few for its share 0\.[19]", done.stderr)
        assert list((tmp_path / "out").iterdir()) == []

    @pytest.mark.parametrize(
        ("shares", "message"),
        [
            (["train"], "expected NAME=SHARE, as in train=0.9, got 'train'"),
            (["../x=1"], "'../x' cannot be a file name"),
            (["a=0.5", "a=0.5"], "'a' is given twice"),
            (["a=0.5", "b=0.6"], "must add up to 1, got a 0.5, b 0.6 = 1.1"),
            (["a=-1", "b=2"], "must be positive numbers"),
        ],
        ids=["no number", "path", "twice", "sum", "negative"],
    )
    def test_shares_that_are_none_are_refused(
        self, data: Path, tmp_path: Path, shares: list[str], message: str
    ) -> None:
        options = [part for share in shares for part in ("--share", share)]
        done = run("split", data, "-o", tmp_path / "out", *options)
        assert done.exit_code == 2
        assert message in done.stderr


class TestRankings:
    RANKING: ClassVar[dict[str, Any]] = {"prompt": "p", "responses": ["a", "b", "c", "d"], "ranks": [2, 1, 3, 3]}

    @pytest.mark.parametrize(("weighting", "total"), [("ranking", 1), ("response", 2), ("pair", 6)])
    def test_rankings_become_pairs(self, tmp_path: Path, weighting: str, total: float) -> None:
        data, out = write(tmp_path / "a.jsonl", [self.RANKING, pair(1)]), tmp_path / "out.jsonl.gz"
        done = run("rankings", data, "-o", out, "--weighting", weighting)
        assert done.stderr == f"7 pairs written to {out}\n"
        *pairs, plain = rows_of(out)
        assert (pairs[0]["chosen"], pairs[0]["rejected"]) == ("b", "a")
        assert sum(row.get("weight", 1) for row in pairs) == pytest.approx(total)
        assert [row.get("tie", False) for row in pairs] == [False] * 5 + [True]
        assert plain == pair(1)

    def test_the_ending_decides_and_an_unknown_one_is_refused(self, tmp_path: Path) -> None:
        data = write(tmp_path / "a.jsonl", [self.RANKING])
        done = run("rankings", data, "-o", tmp_path / "out.json")
        assert "unknown ending '.json'; did you mean '.jsonl'" in done.stderr


class TestAnnotators:
    @pytest.fixture
    def votes(self, tmp_path: Path) -> Path:
        rows = []
        for item, letters in enumerate(["AA", "AB", "BB", "A-", "tt"]):
            for annotator, letter in zip(["ann", "bob"], letters, strict=True):
                known = {"A": "A", "B": "B", "t": "tie"}.get(letter)
                row = {"prompt": f"p{item}", "response_a": f"a{item}", "response_b": f"b{item}", "preference": known}
                rows += [row | {"annotator": annotator}] if known else []
        return write(tmp_path / "votes.jsonl", rows)

    def test_agreement_is_printed(self, votes: Path) -> None:
        text = " ".join(run("annotators", votes).stdout.split())
        assert "same verdict 75 % 4 of 5 items, judged twice or more" in text
        assert "Cohen's kappa" in text
        assert "ann 5 1 75 %" in text

    def test_json_and_pairs_go_their_own_ways(self, votes: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.jsonl"
        done = run("annotators", votes, "--json", "-o", out)
        assert json.loads(done.stdout)["observed"] == 0.75
        assert done.stderr == f"9 votes made 5 pairs, written to {out}\n"
        found = [(row["chosen"], row.get("probability", 1), row.get("tie", False)) for row in rows_of(out)]
        assert found == [
            ("a0", 1, False),
            (found[1][0], 1, True),
            ("b2", 1, False),
            ("a3", 1, False),
            (found[4][0], 1, True),
        ]

    def test_pairs_need_no_package_for_agreement(
        self, votes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "krippendorff", None)
        assert "pip install 'rewardkit-rm[agreement]'" in run("annotators", votes).stderr
        assert run("annotators", votes, "--no-agreement", "-o", tmp_path / "out.jsonl").exit_code == 0

    def test_nothing_to_do_is_refused(self, votes: Path) -> None:
        assert "nothing to do" in run("annotators", votes, "--no-agreement").stderr

    def test_votes_that_do_not_count_are_told(self, votes: Path) -> None:
        lines = votes.read_text().splitlines()
        row = json.loads(lines[0])
        votes.write_text("\n".join([*lines, lines[0], json.dumps(row | {"annotator": None})]) + "\n")
        text = run("annotators", votes).stdout
        assert "1 votes replaced by a later one" in text
        assert "1 votes without an annotator, left out" in text


class TestBalance:
    @pytest.fixture
    def long(self, tmp_path: Path) -> Path:
        rows = [
            {"prompt": f"p{n}", "chosen": "long" if n % 4 else "s", "rejected": "s" if n % 4 else "long"}
            for n in range(40)
        ]
        return write(tmp_path / "long.jsonl", rows)

    def test_subsampling_leaves_half_of_them_longer(self, long: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.jsonl"
        done = run("balance", long, "-o", out)
        assert re.search(r"all +40 +20 +75 % +50 %", done.stdout)
        assert done.stderr == f"20 pairs written to {out}\n"
        assert sum(len(row["chosen"]) > 1 for row in rows_of(out)) == 10
        assert run("balance", long, "-o", tmp_path / "again.jsonl").exit_code == 0
        assert (tmp_path / "again.jsonl").read_bytes() == out.read_bytes()

    def test_weights_keep_all(self, long: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.jsonl"
        done = run("balance", long, "-o", out, "--method", "weights")
        assert re.search(r"all +40 +40 +75 % +50 %", done.stdout)
        assert {round(row.get("weight", 1), 6) for row in rows_of(out)} == {1, 0.333333}
        assert json.loads(run("check", out, "--json").stdout)["total"]["longer"]["share"] == pytest.approx(0.5)


class TestAugment:
    def test_copies_follow_their_pairs_with_half_of_the_weight(self, tmp_path: Path) -> None:
        row = {"id": "a", "prompt": "p", "chosen": "# Good\n\n- milk\n- bread", "rejected": "# Bad\n\n- beer\n- wine"}
        data, out = write(tmp_path / "a.jsonl", [row, pair(1)]), tmp_path / "out.jsonl"
        done = run("augment", data, "-o", out, "--kind", "white_space", "--seed", 1)
        assert done.stderr == f"2 pairs and {len(rows_of(out)) - 2} perturbed copies written to {out}\n"
        original, copy, *_ = rows_of(out)
        assert original == row | {"weight": 0.5}
        assert (copy["id"], copy["weight"], copy["chosen"].split()) == ("a~white_space", 0.5, row["chosen"].split())


WRITERS = [["rankings"], ["annotators"], ["balance"], ["augment"]]


@pytest.mark.parametrize("command", WRITERS, ids=lambda command: command[0])
def test_nothing_is_overwritten_unless_asked_and_never_an_input(command: list[str], data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("precious")
    assert f"{out}: exists already; --overwrite" in run(*command, data, "-o", out).stderr
    assert out.read_text() == "precious"
    assert run(*command, data, "-o", out, "--overwrite").exit_code == 0
    assert len(rows_of(out)) >= 200
    done = run(*command, data, "-o", data, "--overwrite")
    assert f"{data}: cannot be written: it is an input" in done.stderr
    assert "there is no folder" in run(*command, data, "-o", tmp_path / "no" / "out.jsonl").stderr


def test_splits_overwrite_only_if_asked(data: Path, tmp_path: Path) -> None:
    assert run("split", data, "-o", tmp_path / "out").exit_code == 0
    assert "exists already" in run("split", data, "-o", tmp_path / "out").stderr
    assert run("split", data, "-o", tmp_path / "out", "--overwrite").exit_code == 0


@pytest.mark.parametrize("command", [*WRITERS, ["split"]], ids=lambda command: command[0])
def test_a_broken_row_at_the_end_leaves_no_output(command: list[str], data: Path, tmp_path: Path) -> None:
    data.write_text(data.read_text() + "{broken\n")
    folder = tmp_path / "out"
    folder.mkdir()
    done = run(*command, data, "-o", folder if command == ["split"] else folder / "out.jsonl")
    assert done.exit_code == 2
    assert f"{data}:201" in done.stderr
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    done = run("split", data, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "out: the folder cannot be made: File exists" in done.stderr


def test_help_of_every_command_has_an_example_and_loads_nothing_heavy() -> None:
    names = ["check", "split", "rankings", "annotators", "balance", "augment"]
    assert all(name in run("--help").stdout for name in names)
    for name in names:
        assert f"rewardkit rm data {name} " in run(name, "--help").stdout
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom rewardkit.cli.group import rewardkit\n"
        "done = CliRunner().invoke(rewardkit, ['rm', 'data', 'check', '--help'])\n"
        "assert done.exit_code == 0, done.output\n"
        "heavy = {'torch', 'transformers', 'scipy', 'datasets', 'statsmodels'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
