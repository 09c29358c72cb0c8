"""Errors, tracebacks, tables and progress."""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path

import pytest
from cli_factory import karat, write_study

import karat.study as room
from karat import __version__
from karat.cli import main
from karat.cli._output import errors, table
from karat.cli._progress import ProgressReporter
from karat.core import LedgerError, MissingExtraError


def raises(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `config check` meet an error."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(room, "check_names", fail)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LedgerError("entry was changed", first_bad=4, fix="restore"), 1, "entry was changed (first bad entry: 4)"),
        (MissingExtraError("ray", "distributed"), 3, "ray: not installed; it comes with the extra 'distributed'"),
        (ZeroDivisionError("0"), 3, "a fault of karat or of a plug-in: ZeroDivisionError: 0; --debug shows where"),
        (
            OSError(errno.ENOSPC, "No space left on device", "x"),
            3,
            "cannot read or write: OSError: [Errno 28] No space",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 3, "cannot read or write: PermissionError"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_each_kind_of_error_has_its_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    raises(error, monkeypatch)
    study = write_study(tmp_path)
    text = karat("config", "check", study)
    assert (text.code, text.out) == (code, "")
    assert text.err.startswith(f"error: {'ledger: ' if code == 1 else ''}{said}")
    assert "help:" not in text.err
    machine = karat("config", "check", study, "--json")
    assert machine.code == code
    assert machine.facts["exit_code"] == code
    assert said in machine.facts["message"]


def test_debug_adds_the_traceback_and_keeps_the_code(tmp_path: Path) -> None:
    study = write_study(tmp_path, seeds="many")
    plain, debug = karat("config", "check", study), karat("config", "check", study, "--debug")
    assert (plain.code, debug.code) == (2, 2)
    assert "Traceback (most recent call last)" in debug.err
    assert "ConfigError" in debug.err
    assert debug.err.endswith(plain.err)


def test_a_verb_that_answers_no_is_not_an_error() -> None:
    with pytest.raises(SystemExit) as caught, errors(as_json=True, debug=True):
        raise SystemExit(1)
    assert caught.value.code == 1


def test_a_table_is_aligned() -> None:
    assert table(("a", "bb"), [("xxx", 1), ("y", 22)]) == "a    bb\nxxx  1\ny    22"
    assert table(("a", "bb"), []) == "a  bb"


def test_progress_is_a_line_a_stage_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReporter() as progress:
        for done in range(4):
            progress("cells", done, 3)
        progress("report", 1, 1)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "cells: 0/3\ncells: 3/3\nreport: 1/1\n")


def test_progress_is_a_line_every_five_seconds_of_a_long_stage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 100 * 10**9, 2 * 10**9))
    monkeypatch.setattr("karat.core.monotonic_ns", lambda: next(clock))
    with ProgressReporter() as progress:
        for done in range(8):
            progress("cells", done, 7)
    assert capsys.readouterr().err == "cells: 0/7\ncells: 3/7\ncells: 6/7\ncells: 7/7\n"


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with ProgressReporter() as progress:
        progress("cells", 0, 3)
        progress("cells", 3, 3)
        progress("report", 1, 1)
    text = screen.getvalue()
    assert "cells" in text
    assert "3/3" in text
    assert "report" in text


def test_the_command_is_main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["karat", "--version"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"karat {__version__}\n"
    assert karat("--version").out == f"karat {__version__}\n"


def test_a_module_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    raises(ModuleNotFoundError("No module named 'polars'", name="polars"), monkeypatch)
    said = karat("config", "check", write_study(tmp_path))
    assert said.code == 3
    assert said.err == "error: polars: this library is missing; `karat doctor` names every one that is\n"
