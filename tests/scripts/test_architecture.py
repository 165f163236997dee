"""The house as data: what the laws' tests and ARCHITECTURE.md read from the source."""

import sys
from pathlib import Path

import pytest

from scripts import architecture
from scripts.architecture import ROOT, SourceFile


def test_a_file_knows_its_names_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architecture, "ROOT", tmp_path)
    (tmp_path / "chain" / "script").mkdir(parents=True)
    (tmp_path / "chain" / "work.py").touch()
    path = tmp_path / "chain" / "script" / "__init__.py"
    path.write_text(
        '"""Two lines\nof words."""\n\nimport os  # why\nfrom chain import work\n'
        'from os.path import join\nfrom . import near\n\n\ndef f():\n    """Says."""\n'
        "    return (\n        1\n    )\n"
    )
    file = SourceFile(path)
    assert (file.name, file.module) == ("chain/script/__init__.py", "chain.script")
    assert (file.floor, file.lines) == ("chain", 14)
    assert file.code_lines == 8
    assert [name for name, _ in file.imports()] == ["os", "chain.work", "os.path"]
    assert [function.name for function in file.functions()] == ["f"]


def test_the_page_is_printed_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "ARCHITECTURE.md"
    old = (ROOT / "ARCHITECTURE.md").read_text()
    marks = "<!-- generated: floors -->\n"
    assert marks in old
    stale = old.replace(marks, f"{marks}a line of yesterday\n")
    page.write_text(stale)
    monkeypatch.setattr(sys, "argv", ["architecture"])
    architecture.main(page)
    printed = capsys.readouterr().out
    assert "a line of yesterday" not in printed
    assert page.read_text() == stale
    monkeypatch.setattr(sys, "argv", ["architecture", "--write"])
    architecture.main(page)
    assert page.read_text() == printed


def test_a_page_without_the_marks_is_left_alone() -> None:
    assert architecture.renew("# A page\n") == "# A page\n"
