"""The disk cache of compiled kernels: its key, its place, its fallbacks. Numbers are the module's invariants."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pytest

from karat.kernels import _jit

JIT_OFF = bool(os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"))


def _fresh(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter, compiled whatever this run is, and return what it wrote."""
    keep = {key: value for key, value in os.environ.items() if key != "NUMBA_DISABLE_JIT"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=keep | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two kernel files, the caller in one and its callee in the other, with the cache of this one."""
    folder = tmp_path / "planted"
    folder.mkdir()
    shutil.copy(_jit.__file__, folder / "_jit.py")
    (folder / "__init__.py").write_text("")
    (folder / "_callee.py").write_text(
        "from planted._jit import compiled\n\n\n@compiled('f8(f8)')\ndef callee(x):\n    return x + 1.0\n"
    )
    (folder / "_caller.py").write_text(
        "from planted._callee import callee\nfrom planted._jit import compiled\n\n\n"
        "@compiled('f8(f8)')\ndef caller(x):\n    return 10.0 * callee(x)\n"
    )
    return folder


def test_1_editing_a_callee_in_another_file_changes_the_key(package: Path) -> None:
    before = _jit.cache_key(package)
    assert _jit.cache_key(package) == before
    callee = package / "_callee.py"
    callee.write_text(callee.read_text().replace("1.0", "2.0"))
    assert _jit.cache_key(package) != before


def test_1_the_key_changes_with_a_new_file_the_numba_version_and_the_processor(package: Path) -> None:
    key = _jit.cache_key(package, version="1", cpu="a")
    assert len(key) == 16
    others = {_jit.cache_key(package, version="2", cpu="a"), _jit.cache_key(package, version="1", cpu="b")}
    (package / "_more.py").write_text("")
    others.add(_jit.cache_key(package, version="1", cpu="a"))
    assert len(others | {key}) == 4


def test_1_no_stale_code_is_served_after_the_edit_of_a_callee(package: Path, tmp_path: Path) -> None:
    """The fault that numba's own cache has: the caller's file is unchanged, so its old machine code is loaded."""
    code = "from planted._caller import caller; import sys; sys.stdout.write(str(caller(1.0)))"
    environment = {"PYTHONPATH": str(package.parent), "KARAT_CACHE": str(tmp_path / "cache")}
    assert _fresh(code, **environment) == "20.0"
    callee = package / "_callee.py"
    callee.write_text(callee.read_text().replace("1.0", "2.0"))
    assert _fresh(code, **environment) == "30.0"
    assert len(list((tmp_path / "cache" / "kernels").iterdir())) == 2


def test_a_second_process_loads_what_the_first_compiled(package: Path, tmp_path: Path) -> None:
    code = (
        "from planted._caller import caller; import sys; caller(1.0); "
        "sys.stdout.write(str(sum(caller.stats.cache_hits.values())))"
    )
    environment = {"PYTHONPATH": str(package.parent), "KARAT_CACHE": str(tmp_path / "cache")}
    assert _fresh(code, **environment) == "0"
    assert _fresh(code, **environment) == "1"


def test_2_the_variable_names_the_root_and_the_platform_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    home = Path.home()
    assert _jit.user_cache({"KARAT_CACHE": "/data/cache", "XDG_CACHE_HOME": "/x"}) == Path("/data/cache")
    assert _jit.user_cache({"XDG_CACHE_HOME": "/x"}, "linux") == Path("/x/karat")
    assert _jit.user_cache({}, "linux") == home / ".cache" / "karat"
    assert _jit.user_cache({}, "darwin") == home / "Library" / "Caches" / "karat"
    assert _jit.user_cache({}, "win32") == home / "AppData" / "Local" / "karat" / "cache"
    assert _jit.user_cache({"LOCALAPPDATA": "/l"}, "win32") == Path("/l/karat/cache")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_2_a_root_that_cannot_be_written_falls_back_to_the_temporary_directory(tmp_path: Path, temporary: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")  # holds for the superuser too, unlike permission bits
    found = _jit.cache_directory({"KARAT_CACHE": str(blocked)})
    assert found is not None
    assert found.is_relative_to(temporary)
    assert stat.S_IMODE(found.stat().st_mode) == 0o700


def test_2_without_any_writable_place_there_is_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(blocked))
    assert _jit.cache_directory({"KARAT_CACHE": str(blocked)}) is None


def test_3_a_directory_that_others_may_write_to_is_never_read(tmp_path: Path, temporary: Path) -> None:
    root = tmp_path / "cache"
    found = _jit.cache_directory({"KARAT_CACHE": str(root)})
    assert found is not None
    assert found.is_relative_to(root)
    found.chmod(0o777)
    again = _jit.cache_directory({"KARAT_CACHE": str(root)})
    assert again is not None
    assert again.is_relative_to(temporary)


def test_3_a_directory_of_another_user_is_never_read(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "cache"
    assert _jit.cache_directory({"KARAT_CACHE": str(root)}) is not None
    monkeypatch.setattr(_jit, "_user", lambda: -5)
    assert _jit.cache_directory({"KARAT_CACHE": str(root)}) is None


def test_3_where_the_system_has_no_owners_they_are_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "getuid")
    root = tmp_path / "cache"
    found = _jit.cache_directory({"KARAT_CACHE": str(root)})
    assert found is not None
    assert found.is_relative_to(root)
    assert _jit._user() == 0


@pytest.mark.skipif(JIT_OFF, reason="compiles")
def test_4_numbas_own_settings_are_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARAT_CACHE", str(tmp_path / "cache"))
    before = numba.config.CACHE_DIR
    half = _jit.compiled("f8(f8)")(lambda x: 0.5 * x)
    assert half(3.0) == 1.5
    assert before == numba.config.CACHE_DIR


@pytest.mark.skipif(JIT_OFF, reason="compiles")
@pytest.mark.parametrize("fault", ["nowhere", "full disk"])
def test_a_kernel_runs_without_a_cache(fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if fault == "nowhere":
        monkeypatch.setattr(_jit, "cache_directory", lambda environment: None)
    else:
        real = _jit._compile

        def full(function: object, signature: str, directory: Path | None) -> object:
            if directory is not None:
                raise OSError(28, "No space left on device")
            return real(function, signature, None)

        monkeypatch.setattr(_jit, "cache_directory", lambda environment: tmp_path)
        monkeypatch.setattr(_jit, "_compile", full)
    twice = _jit.compiled("f8(f8)")(lambda x: 2.0 * x)
    assert twice(3.0) == 6.0


def test_with_the_compiler_off_the_function_itself_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jit._CONFIG, "DISABLE_JIT", 1)

    def double(x: float) -> float:
        return 2.0 * x

    assert _jit.compiled("f8(f8)")(double) is double


def test_importing_kernels_does_not_import_numba() -> None:
    assert _fresh("import sys, karat.kernels; sys.stdout.write(str('numba' in sys.modules))") == "False"


@pytest.mark.slow
def test_the_kernels_compile_cold_within_the_budget(tmp_path: Path) -> None:
    code = (
        "import sys, time, numba; s = time.perf_counter(); import karat.kernels; karat.kernels.prepare(); "
        "sys.stdout.write(str(time.perf_counter() - s))"
    )
    assert float(_fresh(code, KARAT_CACHE=str(tmp_path))) < 10.0  # 2.6 s alone on two cores; the machine is shared
