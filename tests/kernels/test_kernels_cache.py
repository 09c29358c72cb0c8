"""Where compiled kernels are kept: the key, the place, its fallbacks. Numbers are the invariants of `_cache`."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from karat.kernels import _cache


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder of two source files."""
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "_callee.py").write_text("ONE = 1.0\n")
    (folder / "_caller.py").write_text("from planted._callee import ONE\n")
    return folder


def test_1_editing_a_callee_in_another_file_changes_the_key(package: Path) -> None:
    before = _cache.cache_key(package)
    assert _cache.cache_key(package) == before
    callee = package / "_callee.py"
    callee.write_text(callee.read_text().replace("1.0", "2.0"))
    assert _cache.cache_key(package) != before


def test_1_the_key_changes_with_a_new_file_the_numba_version_and_the_processor(package: Path) -> None:
    key = _cache.cache_key(package, version="1", cpu="a")
    assert len(key) == 16
    others = {_cache.cache_key(package, version="2", cpu="a"), _cache.cache_key(package, version="1", cpu="b")}
    (package / "_more.py").write_text("")
    others.add(_cache.cache_key(package, version="1", cpu="a"))
    assert len(others | {key}) == 4


def test_2_the_variable_names_the_root_and_the_platform_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    home = Path.home()
    assert _cache.user_cache({"KARAT_CACHE": "/data/cache", "XDG_CACHE_HOME": "/x"}) == Path("/data/cache")
    assert _cache.user_cache({"XDG_CACHE_HOME": "/x"}, "linux") == Path("/x/karat")
    assert _cache.user_cache({}, "linux") == home / ".cache" / "karat"
    assert _cache.user_cache({}, "darwin") == home / "Library" / "Caches" / "karat"
    assert _cache.user_cache({}, "win32") == home / "AppData" / "Local" / "karat" / "cache"
    assert _cache.user_cache({"LOCALAPPDATA": "/l"}, "win32") == Path("/l/karat/cache")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_2_a_root_that_cannot_be_written_falls_back_to_the_temporary_directory(tmp_path: Path, temporary: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")  # holds for the superuser too, unlike permission bits
    found = _cache.cache_directory({"KARAT_CACHE": str(blocked)})
    assert found is not None
    assert found.is_relative_to(temporary)
    assert stat.S_IMODE(found.stat().st_mode) == 0o700


def test_2_without_any_writable_place_there_is_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(blocked))
    assert _cache.cache_directory({"KARAT_CACHE": str(blocked)}) is None


def test_3_a_directory_that_others_may_write_to_is_never_read(tmp_path: Path, temporary: Path) -> None:
    root = tmp_path / "cache"
    found = _cache.cache_directory({"KARAT_CACHE": str(root)})
    assert found is not None
    assert found.is_relative_to(root)
    found.chmod(0o777)
    again = _cache.cache_directory({"KARAT_CACHE": str(root)})
    assert again is not None
    assert again.is_relative_to(temporary)


def test_3_a_directory_of_another_user_is_never_read(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "cache"
    assert _cache.cache_directory({"KARAT_CACHE": str(root)}) is not None
    monkeypatch.setattr(_cache, "_user", lambda: -5)
    assert _cache.cache_directory({"KARAT_CACHE": str(root)}) is None


def test_3_where_the_system_has_no_owners_they_are_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "getuid")
    root = tmp_path / "cache"
    found = _cache.cache_directory({"KARAT_CACHE": str(root)})
    assert found is not None
    assert found.is_relative_to(root)
    assert _cache._user() == 0
