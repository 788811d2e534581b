"""The page: what comes in is text, never markup; what goes out loads and runs nothing."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_audit.errors import ReportError
from rewardkit_audit.report import Fact, Facts, Note, Page, Sample, Samples, Section, Table, Verdict
from rewardkit_audit.report.charts import Bar, Mark, bars, histogram
from rewardkit_audit.report.text import excerpt, short, visible

from rewardkit.errors import RewardKitError

HOSTILE = {
    "script": "</script><script>alert(1)</script>",
    "end of style": "</style><style>*{display:none}</style>",
    "end of pre": "</pre></details></main><h1>PASS</h1>",
    "image": '"><img src=https://example.org/x onerror=alert(1)>',
    "attribute": "' onmouseover='alert(1)' x='",
    "link": '<a href="javascript:alert(1)">look</a>',
    "comment": "<!-- <![CDATA[ ]]> -->",
    "entity": "&lt;script&gt;&#x3c;b&#x3e;&quot;",
    "template": "{{ page.title }}{% for x in y %}{{ ''.__class__ }}",
    "terminal": "\x1b[2J\x1b]0;owned\x07\x00\x08\x7f\x9b",
    "direction": "safe \u202etxet desrever\u202c \u2066x\u2069 \u200b\ufeff\u2028\u2029",
    "surrogate": "half \ud83d an emoji \udc80",
    "form": "<form action=//example.org><input name=a></form><meta http-equiv=refresh content=0>",
    "svg": "<svg onload=alert(1)><use href='data:x'/></svg>",
    "mathtext": "$\\frac{1}{$ \\input{/etc/passwd}",
}


class _Reader(HTMLParser):
    """Tags with their attributes, the text, and the text of one tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text: list[tuple[str, str]] = []
        self.open: list[str] = ["none"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple((name, value) for name, value in attrs if name != "aria-label")))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text.append((self.open[-1], data))


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def page_of(text: str) -> Page:
    section = Section(text).add(
        Table([text, "b"], [[text, 1], ["x", text]], text, numbers=["b"]),
        bars([Bar(text, 0.5, 0.4, 0.6, 3)], title=text, x=text, percent=True, count=text, caption=text),
        histogram([1.0, 2.0], title=text, x=text, y=text, marks=[Mark(1.5, text)]),
        Samples(text, [Sample(text, [(text, text)], text)]),
    )
    return Page(text, text).add(Verdict(True, text, [text]), Facts([Fact(text, text, text)]), section)


def shape(html: str) -> list[Any]:
    """Return tags and attributes outside charts, whose geometry depends on the length of labels."""
    inside, found = False, []
    for tag, attributes in read(re.sub(r"<svg.*?</svg>", "<svg></svg>", html, flags=re.DOTALL)).tags:
        inside = inside or tag == "svg"
        found.append((tag, attributes))
    assert inside
    return found


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_makes_no_tag_and_no_attribute(text: str) -> None:
    html = page_of(text).html()
    assert shape(html) == shape(page_of("plain").html())
    assert {tag for tag, _ in read(html).tags} & {"script", "img", "a", "form", "input", "link", "iframe"} == set()
    html.encode()


@settings(max_examples=20)
@given(st.text(st.characters(), min_size=1, max_size=80).filter(str.strip))
def test_any_text_leaves_the_shape_of_the_page_as_it_is(text: str) -> None:
    html = page_of(text).html()
    assert shape(html) == shape(page_of("plain").html())
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)


def test_charts_on_a_page_hold_only_our_tags_and_refer_only_to_themselves() -> None:
    for text in HOSTILE.values():
        reader = read(page_of(text).html())
        ids = [value for _, attributes in reader.tags for name, value in attributes if name == "id"]
        assert len(ids) == len(set(ids))
        for tag, attributes in reader.tags:
            for name, value in attributes:
                assert not name.startswith("on")
                assert name not in ("style", "src", "srcset", "action", "data", "xlink:href")
                if name == "href":
                    assert value is not None
                    assert value.removeprefix("#") in ids, tag


def test_the_page_forbids_everything_but_its_own_style_sheet() -> None:
    html = page_of("plain").html()
    (style,) = [text for tag, text in read(html).text if tag == "style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    metas = [dict(attributes) for tag, attributes in read(html).tags if tag == "meta"]
    assert {"http-equiv": "Content-Security-Policy", "content": policy} in metas
    assert "@import" not in style
    assert "url(" not in style
    assert "http:" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in html


def test_the_policy_comes_before_the_first_text_of_a_user() -> None:
    html = Page("A MARKED TITLE").html()
    assert html.index("Content-Security-Policy") < html.index("A MARKED TITLE")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x1b[31m", "a\\x1b[31m"),
        ("\u202eabc", "\\u202eabc"),
        ("\ud83d", "\\ud83d"),
        ("\x00\x9b", "\\x00\\x9b"),
        ("line\r\nline\tend", "line\\r\nline\tend"),
        ("12\u202f000\u00a0€, 東京\u3000駅, e\u0301", "12\u202f000\u00a0€, 東京\u3000駅, e\u0301"),
        ("\u2028\u2029", "\\u2028\\u2029"),
    ],
    ids=["terminal", "direction", "surrogate", "control", "line ends", "wide spaces", "separators"],
)
def test_signs_that_cannot_be_seen_are_spelt_out(text: str, seen: str) -> None:
    assert visible(text) == seen


@given(st.text(st.characters()))
def test_visible_text_is_held_by_every_encoding_and_stays_as_it_is(text: str) -> None:
    once = visible(text)
    once.encode()
    assert visible(once) == once


def test_long_texts_are_cut_and_the_page_says_so() -> None:
    text = "a" * 9_000 + "b" * 11_000
    sample = Page("t").add(Samples("s", [Sample("one", [("completion", text)])])).html()
    assert "a" * 4_000 + "\n… 15,000 characters left out …\n" + "b" * 1_000 in sample
    table = Page("t").add(Table([text], [[text]])).html()
    assert "a" * 200 + "… (20,000 characters)" in table
    assert "a" * 201 not in table
    note = Page("t").add(Note(text)).html()
    assert f"{text[:10_000]}… (20,000 characters)" in note


@pytest.mark.parametrize("longest", [0, 1, 5, 6])
def test_short_keeps_what_fits(longest: int) -> None:
    assert short("abcde", longest) == ("abcde" if longest >= 5 else f"{'abcde'[:longest]}… (5 characters)")


def test_excerpt_keeps_a_text_that_fits_exactly() -> None:
    assert excerpt("abcde", 2, 3) == "abcde"
    assert excerpt("abcdef", 2, 3) == "ab\n… 1 character left out …\ndef"


def test_a_million_characters_in_every_place_make_a_small_page() -> None:
    html = page_of("<" * 1_000_000).html()
    assert len(html) < 400_000


def test_tables_tell_headings_rows_and_figures_apart() -> None:
    table = Table(
        ["domain", "accuracy", "interval"], [["math", 0.59, "0.56 to 0.62"], ["chat", None, "–"]], "By domain"
    )
    html = Page("t").add(table).html()
    assert "<caption>By domain</caption>" in html
    assert '<th scope="col">domain</th><th scope="col" class="right">accuracy</th><th scope="col">interval</th>' in html
    assert '<tr><th scope="row">math</th><td class="right">0.59</td><td>0.56 to 0.62</td></tr>' in html
    assert '<td class="right">–</td>' in html


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (1234567, "1,234,567"),
        (0.123456, "0.123"),
        (1e-9, "1e-09"),
        (True, "yes"),
        (False, "no"),
        (None, "–"),
        ("63 %", "63 %"),
        (np.float64(0.5), "0.5"),
        (np.int64(5000), "5,000"),
        (np.float32(0.25), "0.25"),
    ],
)
def test_cells_show_values_in_few_characters(value: Any, seen: str) -> None:
    assert Table(["a"], [[value]]).cells == [[seen]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Table(["a", "b"], [[1, 2], [1, float("nan")]], "T"),
            "table 'T', row 1, column 'b': a number must be finite, got nan; None stands for what does not exist",
        ),
        (lambda: Table(["a"], [[float("-inf")]]), "table '', row 0, column 'a': a number must be finite, got -inf"),
        (lambda: Table(["a"], [[1, 2]], "T"), "table 'T', row 0: expected 1 cells, got [1, 2]"),
        (lambda: Table(["a", "b"], ["ab"]), "table '', row 0: expected 2 cells, got 'ab'"),
        (
            lambda: Table(["a"], [[cast("Any", {})]]),
            "table '', row 0, column 'a': expected text, a number or None, got dict",
        ),
        (lambda: Table(["a"], [], "T", numbers=["b"]), "table 'T' has no column 'b' to hold numbers"),
        (lambda: Facts([Fact("Accuracy", float("nan"))]), "fact 'Accuracy': a number must be finite, got nan"),
    ],
    ids=["nan", "infinity", "long row", "text as row", "object", "column", "fact"],
)
def test_what_no_table_can_show_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ReportError, match=f"^{re.escape(message)}") as caught:
        make()
    assert isinstance(caught.value, RewardKitError)


def test_a_table_of_too_many_rows_says_how_many_are_left_out() -> None:
    table = Table(["a"], [[row] for row in range(1_250)])
    assert len(table.cells) == 1_000
    assert "The first 1,000 rows are shown, 250 rows left out." in Page("t").add(table).html()


def test_an_empty_table_and_no_samples_are_pages_too() -> None:
    html = Page("t").add(Table(["a"], []), Samples("Worst", []), Facts([]), Section("s")).html()
    assert '<p class="quiet">None.</p>' in html
    assert '<th scope="col">a</th>' in html


def test_headings_go_down_one_level_at_a_time() -> None:
    html = Page("t").add(Samples("a", []), Section("b").add(Samples("c", []))).html()
    assert re.findall(r"<(h\d)>(.)", html) == [("h1", "t"), ("h2", "a"), ("h2", "b"), ("h3", "c")]


def test_charts_that_follow_each_other_stand_side_by_side_and_carry_their_description() -> None:
    chart = histogram([1.0, 2.0], title="Two", x="reward", caption="Small.")
    other = histogram([3.0], title="One", x="reward")
    html = Page("t").add(chart, other, Note("between"), chart).html()
    assert html.count('<div class="charts">') == 2
    assert "<figcaption><strong>Two</strong> <span>Small.</span></figcaption>" in html
    assert 'role="img" aria-label="Histogram of reward: 2 samples from 1 to 2, median 1.5."' in html


@pytest.mark.parametrize(
    ("parts", "beside"),
    [("ct", "ct"), ("cct", "cc"), ("ctt", "ct"), ("ctc", "ct c"), ("tc", "c")],
    ids=["one chart", "two charts", "two tables", "charts around", "table first"],
)
def test_a_table_behind_a_single_chart_stands_beside_it(parts: str, beside: str) -> None:
    made: dict[str, Any] = {"c": histogram([1.0, 2.0], title="Two", x="reward"), "t": Table(["a"], [[1]])}
    html = Page("t").add(*(made[part] for part in parts)).html()
    rows = re.findall(r'<div class="charts">(.*?)\n</div>\n(?!</div>|</table>)', html, re.DOTALL)
    assert (
        " ".join(
            "".join("c" if found == "figure" else "t" for found in re.findall(r"<(figure|table)>", row)) for row in rows
        )
        == beside
    )


def test_verdicts_and_warnings_say_in_words_what_their_colour_says() -> None:
    html = (
        Page("t").add(Verdict(False, "No.", ["Why"]), Verdict(True, "Yes."), Note("Care.\n\nMore.", "warning")).html()
    )
    assert "<p><strong>FAIL</strong> No.</p>\n<ul><li>Why</li></ul>" in html
    assert "<p><strong>PASS</strong> Yes.</p>" in html
    assert "<p><strong>Warning:</strong> Care.</p><p>More.</p>" in html


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_text_colour_has_the_contrast_of_wcag_aa_on_both_grounds_of_every_mode() -> None:
    style = resources.files("rewardkit_audit.report").joinpath("page.css").read_text(encoding="utf-8")
    modes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{[^}]*\}", style)]
    assert len(modes) == 3  # light, dark, printed
    for colours in modes:
        for ground in ("paper", "raised"):
            for name in ("ink", "quiet", "accent", "good", "bad", "warn"):
                light, dark = sorted((_luminance(colours[name]), _luminance(colours[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)


def test_write_makes_the_file_whole_with_the_usual_permissions(tmp_path: Path) -> None:
    target, link = tmp_path / "report.html", tmp_path / "link.html"
    target.write_text("old")
    link.symlink_to(target)
    page = page_of("plain")
    page.write(link)
    assert target.read_bytes() == page.html().encode()
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.html", "report.html"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing/report.html", "No such file or directory"),
        (".", "Is a directory"),
        ("x" * 300, "File name too long"),
        ("a\0b", "embedded null"),
    ],
    ids=["no folder", "a folder", "long name", "null"],
)
def test_a_page_that_cannot_be_written_says_why_and_leaves_nothing(tmp_path: Path, path: str, reason: str) -> None:
    with pytest.raises(RewardKitError, match=f"cannot be written: .*{reason}"):
        Page("t").write(tmp_path / path)
    assert list(tmp_path.iterdir()) == []


def test_a_device_is_written_to_and_never_replaced() -> None:
    Page("t").write("/dev/null")
    assert Path("/dev/null").is_char_device()


_MAKE = """
import sys
from rewardkit_audit.report import Page
from rewardkit_audit.report.charts import Bar, bars, density, histogram
rows = list(range(400))
page = Page("t").add(histogram(rows, title="a", x="b", split=100))
page.add(density(rows, rows, title="c", x="d", y="e", log_x=True))
page.add(bars([Bar(str(row), row) for row in rows], title="f", x="g"))
sys.stdout.write(page.html())
"""


def _made(tmp_path: Path, seed: str, settings_file: str) -> bytes:
    folder = tmp_path / seed
    folder.mkdir()
    (folder / "matplotlibrc").write_text(settings_file)
    environment = os.environ | {"PYTHONHASHSEED": seed, "MPLCONFIGDIR": str(folder), "MATPLOTLIBRC": str(folder)}
    return subprocess.run([sys.executable, "-c", _MAKE], env=environment, check=True, capture_output=True).stdout


def test_the_bytes_are_the_same_in_every_process_and_under_every_matplotlibrc(tmp_path: Path) -> None:
    first = _made(tmp_path, "1", "")
    assert first == _made(tmp_path, "2", "font.size: 30\naxes.facecolor: red\nsvg.fonttype: path\nlines.linewidth: 9\n")
    assert first.startswith(b"<!DOCTYPE html>")


def test_the_examples_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, {})
    assert Path("report.html").read_text(encoding="utf-8").count("<svg") == 2


def test_the_report_loads_no_matplotlib_before_a_chart_is_drawn() -> None:
    program = "import sys, rewardkit_audit.report, rewardkit_audit.stress; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
