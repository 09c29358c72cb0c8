"""The files: self-contained, inert, deterministic, small, quick."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_factory import bare_story, make_story, make_verdict, replace

import karat.report
from karat.core import InputError, content_hash
from karat.report import FindingRow, Story, verdict_html, write
from karat.report._markdown import code, escape

EVIL = "<script>alert(1)</script>"
HANDLER = '"><img src=x onerror=alert(1)>'


class Elements(HTMLParser):
    """Collects every start tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(page)
    return parser.found


def evil_story() -> Story:
    story = make_story(instruments=2)
    assert story.fan is not None
    assert story.equity is not None
    curves = tuple(dataclasses.replace(curve, name=EVIL) for curve in story.equity.curves)
    gate = dataclasses.replace(story.verdict.gates[0], name=EVIL, question=HANDLER, reason=EVIL)
    return replace(
        story,
        title=EVIL,
        description=HANDLER,
        selected=EVIL,
        verdict=make_verdict(reason=EVIL, gates=(gate, *story.verdict.gates[1:])),
        config={EVIL: {HANDLER: f"`{EVIL}`|"}},
        environment={"argv": EVIL},
        command=f"karat reproduce {EVIL}",
        warnings=(EVIL,),
        sources=(dataclasses.replace(story.sources[0], origin=EVIL, instruments=(EVIL,)),),
        findings=(FindingRow(EVIL, HANDLER, "error", 1, EVIL),),
        scores=tuple(dataclasses.replace(row, model=f"$x^{{{EVIL}") for row in story.scores[:1]),
        fan=dataclasses.replace(story.fan, model=EVIL, instrument=EVIL),
        equity=dataclasses.replace(story.equity, curves=curves),
        attribution=tuple(dataclasses.replace(row, instrument=EVIL) for row in story.attribution),
        seeds=tuple(dataclasses.replace(row, model=EVIL) for row in story.seeds),
        trials=tuple(dataclasses.replace(row, name=EVIL, study=HANDLER) for row in story.trials),
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    page, _ = write(make_story(instruments=3), tmp_path_factory.mktemp("page"))
    return page.read_text(encoding="utf-8")


def test_the_page_asks_the_network_for_nothing(source: str) -> None:
    assert "http:" not in source
    assert "https:" not in source
    assert "@import" not in source
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", source))
    for tag, attributes in elements(source):
        assert tag not in ("script", "img", "iframe", "object", "embed", "video", "audio", "base", "form")
        target = attributes.get("href") or attributes.get("src") or "#"
        assert target.startswith("#") or target == "data:,"
        assert not [name for name in attributes if name.startswith("on")]
    assert "default-src 'none'" in source


def test_links_resolve_and_identifiers_are_unique(source: str) -> None:
    found = elements(source)
    names = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(names) == len(set(names))
    used = {attributes["href"] for _, attributes in found if (attributes.get("href") or "").startswith("#")}
    used |= set(re.findall(r"url\((#[^)]*)\)", source))
    used |= {f"#{attributes['aria-labelledby']}" for _, attributes in found if "aria-labelledby" in attributes}
    assert used <= {f"#{name}" for name in names}


def test_every_drawing_has_a_text_alternative_and_theme_colours(source: str) -> None:
    assert source.count("<svg") == source.count("<figcaption") == 11
    for drawing in re.findall(r"<svg.*?</svg>", source, flags=re.DOTALL):
        assert not re.findall(r"(?:fill|stroke): #", drawing)
        assert "var(--" in drawing


def test_hostile_names_are_inert(tmp_path: Path) -> None:
    page, twin = write(evil_story(), tmp_path)
    source = page.read_text(encoding="utf-8")
    assert "<script" not in source.lower()
    assert "<img" not in source.lower()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in source
    assert not [tag for tag, attributes in elements(source) if tag == "script" or "onerror" in attributes]
    text = re.sub(r"(`+).*?\1", "", twin.read_text(encoding="utf-8"))
    assert "<" not in text


def test_hostile_verdict_is_inert_in_a_notebook() -> None:
    fragment = verdict_html(make_verdict(reason=EVIL))
    assert "<script" not in fragment
    assert "&lt;script&gt;" in fragment
    assert "Indistinguishable." in fragment
    assert fragment.count("<tr>") == 5


def test_same_bytes_whatever_the_users_matplotlib_settings(tmp_path: Path, source: str) -> None:
    import matplotlib

    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "svg.fonttype": "path", "text.color": "red"}):
        changed, _ = write(make_story(instruments=3), tmp_path)
        assert matplotlib.rcParams["lines.linewidth"] == 9
    assert changed.read_text(encoding="utf-8") == source
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md"]


def in_another_process(program: str, folder: Path) -> str:
    """Run `program` where `sys.argv[2]` is `folder`; return what it printed."""
    start = "import sys, time; sys.path.insert(0, sys.argv[1])\nfrom report_factory import make_story\n"
    words = [sys.executable, "-c", f"{start}from karat.report import write\n{program}\n", str(Path(__file__).parent)]
    return subprocess.run([*words, str(folder)], check=True, timeout=120, stdout=subprocess.PIPE, text=True).stdout


@pytest.mark.req("REP-01")
def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    ours = write(make_story(), tmp_path / "a")
    in_another_process("write(make_story(), sys.argv[2])", tmp_path / "b")
    for path in ours:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_small_and_quick(tmp_path: Path) -> None:
    spent = in_another_process(  # its own time: neither other work on the machine nor what traces this one decides
        "write(make_story(), sys.argv[2]); story = make_story(instruments=20); began = time.process_time(); "
        "write(story, sys.argv[2]); sys.stdout.write(str(time.process_time() - began))",
        tmp_path,
    )
    assert float(spent) < 3.0
    page, twin = tmp_path / "report.html", tmp_path / "report.md"
    assert page.stat().st_size < 1_500_000
    assert twin.stat().st_size < 300_000


def test_an_existing_report_is_kept_when_the_new_one_is_refused(tmp_path: Path) -> None:
    page, twin = write(bare_story(), str(tmp_path))
    before = page.read_bytes(), twin.read_bytes()
    with pytest.raises(InputError, match="provenance"):
        write(replace(bare_story("rejected"), run_id=""), tmp_path)
    assert (page.read_bytes(), twin.read_bytes()) == before
    write(bare_story("rejected"), tmp_path)
    assert "An edge worth having is ruled out." in page.read_text(encoding="utf-8")


def test_importing_the_room_loads_neither_matplotlib_nor_jinja2() -> None:
    program = "import sys, karat.report; print([n for n in ('matplotlib', 'jinja2') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_public_names_are_sorted_and_exist() -> None:
    assert all(hasattr(karat.report, name) for name in karat.report.__all__)
    assert len(set(karat.report.__all__)) == len(karat.report.__all__)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("patch_transformer", "patch_transformer"),
        ("_lead trail_", "\\_lead trail\\_"),
        ("a|b", "a\\|b"),
        ("# no\nheading", "\\# no heading"),
        ("- no list", "\\- no list"),
        ("[x](y) *z* `w` ~s~ \\", "\\[x\\](y) \\*z\\* \\`w\\` \\~s\\~ \\\\"),
        ("<b>&", "&lt;b&gt;&amp;"),
    ],
)
def test_markdown_takes_text_literally(value: str, expected: str) -> None:
    assert escape(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", ""), ("a.b", "`a.b`"), ("a`b", "`` a`b ``"), ("a``b", "``` a``b ```"), ("a|b\nc", "`a\\|b c`")],
)
def test_code_spans_cannot_be_left(value: str, expected: str) -> None:
    assert code(value) == expected


def test_the_factory_is_deterministic() -> None:
    first, second = make_story(), make_story()
    assert first.calibration is not None
    assert second.calibration is not None
    assert content_hash(first.calibration.pit) == content_hash(second.calibration.pit)
