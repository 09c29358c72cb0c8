"""Kernels and their bundles: declared, compiled side by side, kept on disk, loaded without numba.

Numbers in the names are invariants of the module that a section names.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from karat.kernels import _build, _bundle, _jit

JIT_OFF = bool(os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"))
compiled_only = pytest.mark.skipif(JIT_OFF, reason="compiles")
MACHINERY = ("_jit.py", "_cache.py", "_bundle.py", "_build.py", "_lower.py")
RUN = "import sys; from planted._caller import caller; from planted._bundle import bundles_compiled; "
TELL = "sys.stdout.write(f\"{caller(1.0)} {bundles_compiled() > 0} {'numba' in sys.modules}\")"


def _begin(code: str, **environment: str) -> subprocess.Popen[str]:
    keep = {key: value for key, value in os.environ.items() if key != "NUMBA_DISABLE_JIT"}
    command, pipe = [sys.executable, "-B", "-W", "error", "-c", code], subprocess.PIPE
    return subprocess.Popen(command, env=keep | environment, stdout=pipe, stderr=pipe, text=True)


def _end(process: subprocess.Popen[str]) -> str:
    said, complained = process.communicate()
    assert process.returncode == 0, complained
    return said.strip()


def _fresh(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter, compiled whatever this run is, and return what it wrote."""
    return _end(_begin(code, **environment))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two kernel files, the caller in one and its callee in the other, with the machinery of this one."""
    folder = tmp_path / "planted"
    folder.mkdir()
    for name in MACHINERY:
        text = (Path(_jit.__file__).parent / name).read_text()
        (folder / name).write_text(text.replace("from karat.kernels.", "from planted."))
    (folder / "__init__.py").write_text("")
    (folder / "_callee.py").write_text(
        "from planted._jit import compiled\n\n\n@compiled('f8(f8)')\ndef callee(x):\n    return x + 1.0\n"
    )
    (folder / "_caller.py").write_text(
        "from planted._callee import callee\nfrom planted._jit import exported\n\n\n"
        "@exported('f8(f8)')\ndef caller(x):\n    return 10.0 * callee(x)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("KARAT_CACHE", str(tmp_path / "cache"))
    return folder


def _bundles(package: Path) -> list[Path]:
    return sorted(path for path in (package.parent / "cache" / "kernels").glob("*/*") if path.is_file())


# The cache.


def test_1_no_stale_code_is_served_after_the_edit_of_a_callee(package: Path) -> None:
    """The fault that numba's own cache has: the caller's file is unchanged, so its old machine code is loaded."""
    assert _fresh(RUN + TELL) == "20.0 True False"
    callee = package / "_callee.py"
    callee.write_text(callee.read_text().replace("1.0", "2.0"))
    assert _fresh(RUN + TELL) == "30.0 True False"
    assert len({path.parent for path in _bundles(package)}) == 2


def test_a_second_process_neither_compiles_nor_imports_numba(package: Path) -> None:
    assert _fresh(RUN + TELL) == "20.0 True False"
    assert _fresh(RUN + TELL) == "20.0 False False"
    assert [path.name for path in _bundles(package)] == ["planted._caller.bundle"]


def test_2_processes_that_compile_at_the_same_time_end_with_one_good_file(package: Path) -> None:
    both = [_begin(RUN + TELL) for _ in range(2)]
    assert [_end(process)[:4] for process in both] == ["20.0", "20.0"]
    assert [path.name for path in _bundles(package)] == ["planted._caller.bundle"]
    assert _fresh(RUN + TELL) == "20.0 False False"


def test_1_an_edited_or_cut_bundle_is_thrown_away_and_never_run(package: Path) -> None:
    """The constant 10 in the machine code becomes 11: code that would run, and give another result."""
    _fresh(RUN + TELL)
    (path,) = _bundles(package)
    good = path.read_bytes()
    ten, eleven = struct.pack("<d", 10.0), struct.pack("<d", 11.0)
    edited = good.replace(ten, eleven)
    for bad in (edited, good[:-100], good[100:], b"", b"\n"):
        path.write_bytes(bad)
        assert _fresh(RUN + TELL) == "20.0 True False"
        assert path.read_bytes()[65:] == good[65:]
    code = edited.split(b"\n", 2)[2]
    path.write_bytes(_bundle.pack(_bundle.Bundle(code, ("planted._caller.caller",), ()), path.parent.name))
    assert _fresh(RUN + TELL) == "22.0 False False"  # with a hash to match it would have run


def test_1_a_bundle_of_another_key_is_not_loaded() -> None:
    made = _bundle.Bundle(b"co\nde", ("a", "b"), ("sqrt",))
    content = _bundle.pack(made, "key")
    assert _bundle.unpack(content, "key") == made
    assert _bundle.unpack(content, "other") is None
    assert _bundle.unpack(content + b"x", "key") is None


UNWRITABLE = "import planted._cache as c; c._usable = lambda *_: False; "


def test_a_cache_that_cannot_be_written_is_read(package: Path) -> None:
    assert _fresh(UNWRITABLE + RUN + TELL) == "20.0 True False"
    assert not (package.parent / "cache").exists()
    _fresh(RUN + TELL)
    assert _fresh(UNWRITABLE + RUN + TELL) == "20.0 False False"


def test_3_what_cannot_be_kept_still_runs(package: Path) -> None:
    full = "import os\ndef full(*_):\n    raise OSError(28, 'No space left on device')\nos.replace = full\n"
    assert _fresh(full + RUN + TELL) == "20.0 True False"
    assert _bundles(package) == []


def test_compiling_writes_nothing_into_the_installation(package: Path) -> None:
    before = sorted(package.iterdir())
    _fresh(RUN + TELL, PYTHONDONTWRITEBYTECODE="1")
    assert sorted(package.iterdir()) == before


# Building.


@pytest.mark.parametrize("program", ["/nowhere", "/bin/false"])
def test_2_where_interpreters_cannot_be_started_this_process_compiles(program: str, package: Path) -> None:
    assert _fresh(RUN + f"sys.executable = {program!r}; " + TELL) == "20.0 True True"
    assert _fresh(RUN + TELL) == "20.0 False False"


@compiled_only
def test_1_every_kernel_is_dealt_once_and_shares_are_of_a_size() -> None:
    kernels = list(_jit.members(_jit.BUNDLES["market"]).values())
    dealt = _build.shares(kernels, 2)
    assert sorted(each.symbol for share in dealt for each in share) == sorted(each.symbol for each in kernels)
    sizes = [sum(len(each.function.__code__.co_code) for each in share) for share in dealt]
    assert max(sizes) < 1.02 * min(sizes)
    assert [len(share) for share in _build.shares(kernels[:3], 4)] == [3]


def test_3_a_function_that_no_process_has_is_named() -> None:
    assert _build.lacking(["sqrt", "exp", "karat_nowhere"]) == ["karat_nowhere"]


def test_2_a_kernel_that_takes_memory_does_not_compile(package: Path) -> None:
    text = "import numpy as np\nfrom planted._jit import exported\n\n\n@exported('f8(int64)')\ndef caller(n):\n"
    (package / "_caller.py").write_text(text + "    return np.zeros(n).sum()\n")
    process = _begin(RUN + TELL)
    said = process.communicate()[1]
    assert process.returncode == 1
    assert "No implementation of function Function(<built-in function zeros>)" in said


# Kernels.


def test_a_bound_call_reads_numbers_once_and_arrays_each_time(package: Path) -> None:
    (package / "_caller.py").write_text(
        "from planted._jit import exported\n\n\n@exported('f8(f8[:, ::1], int64, f8, f8[::1])')\n"
        "def caller(x, n, p, out):\n    out[0] = x[1, 1] + 10.0 * n + 100.0 * p + 1000.0 * x.shape[1]\n    return p\n"
    )
    code = (
        "import sys, numpy as np; from planted._caller import caller; from planted._jit import bound; "
        "x, out = np.arange(6.0).reshape(2, 3), np.zeros(1); call = bound(caller, x, 7, GIVEN, out); first = call(); "
        "before = out[0]; x[1, 1] += 0.25; call(); sys.stdout.write(f'{first} {before} {out[0]}')"
    )
    assert _fresh(code.replace("GIVEN", "0.5")) == "0.5 3124.0 3124.25"
    assert _fresh(code.replace("GIVEN", "2")) == "2.0 3274.0 3274.25"  # a whole number where a float is due


@compiled_only
def test_a_bound_call_keeps_its_arrays_alive() -> None:
    from karat.kernels._checks_jit import not_later  # exported
    from karat.kernels.features._execute import held  # for other kernels

    for kernel, array, more in ((not_later, np.array([1, 2, 2]), ()), (held, np.arange(3.0), (1, 0))):
        before = sys.getrefcount(array)
        call = _jit.bound(kernel, array, *more)
        assert sys.getrefcount(array) > before
        assert call() == 1


def test_numba_calls_a_kernel_by_its_symbol(package: Path) -> None:
    code = RUN + "import numba; twice = numba.njit(lambda x: 2.0 * caller(x)); sys.stdout.write(str(twice(1.0)))"
    assert _fresh(code) == "40.0"


def test_other_users_of_numba_are_not_affected(package: Path) -> None:
    code = (
        RUN + "sys.executable = '/nowhere'; import gc, numba; from numba.core.registry import cpu_target; "
        "caller(1.0); half = numba.njit(lambda x: [0.5 * x][0]); "
        "sys.stdout.write(f'{half(3.0)} {gc.isenabled()} {len(vars(cpu_target.typing_context).keys() & PUT)}')"
    ).replace("PUT", '{"resolve_function_type"}')
    assert _fresh(code) == "1.5 True 0"


@compiled_only
def test_an_array_of_another_type_shape_or_order_is_refused() -> None:
    from karat.kernels._checks_jit import not_between, not_later

    assert not_later(np.array([1, 2, 2])) == 1
    for bad, seen in (
        (np.zeros(3), "float64 of 1 dimension, C order True"),
        (np.zeros((2, 2), dtype=np.int64), "int64 of 2 dimensions, C order True"),
        (np.zeros(9, dtype=np.int64)[::2], "int64 of 1 dimension, C order False"),
    ):
        told = rf"_checks_jit\.not_later: got an array of {seen}; allowed: int64\[::1\]"
        with pytest.raises(TypeError, match=told):
            not_later(bad)
    with pytest.raises(TypeError, match=r"_checks_jit\.not_between: got 1 argument; allowed: 2"):
        not_between(np.zeros(3))


@compiled_only
def test_what_takes_a_tuple_is_for_kernels_only() -> None:
    from karat.kernels.market._draws import _polynomial

    with pytest.raises(
        TypeError, match=r"_draws\._polynomial: got a call from Python; allowed: from kernels, it is f8"
    ):
        _polynomial((1.0,) * 8, 1.0)


def test_1_with_the_compiler_off_the_function_itself_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")

    def double(x: float) -> float:
        return 2.0 * x

    assert _jit.compiled("f8(f8)")(double) is double
    assert _jit.exported("f8(f8)")(double) is double


# All kernels.


@compiled_only
def test_1_the_kernels_of_a_bundle_follow_from_its_modules_alone() -> None:
    found = {name: _jit.members(roots) for name, roots in _jit.BUNDLES.items()}
    checks = {kernel.function.__module__ for kernel in found["events"].values()}
    assert checks == {"karat.kernels.market._event_checks"}  # whatever else this process has imported
    homes = {kernel.function.__module__: _jit.bundle_of(kernel)[0] for kernel in found["market"].values()}
    books = {"karat.kernels.market._l3", "karat.kernels.market._l3_records"}  # rebuilding a book needs no market
    assert {name: home for name, home in homes.items() if home != "market"} == dict.fromkeys(books, "orders")
    assert not found["events"].keys() & found["market"].keys()


@compiled_only
def test_every_module_of_kernels_is_in_a_bundle() -> None:
    package = Path(_jit.__file__).parent
    marks = ("\n@compiled(", "\n@exported(")
    there = {
        "karat.kernels." + ".".join(path.relative_to(package).with_suffix("").parts)
        for path in package.glob("**/*.py")
        if any(mark in path.read_text() for mark in marks)
    }
    members = [kernel for roots in _jit.BUNDLES.values() for kernel in _jit.members(roots).values()]
    assert there - {kernel.function.__module__ for kernel in members} == set(), "add the module to _jit.BUNDLES"


def test_importing_kernels_imports_neither_numba_nor_llvm() -> None:
    code = "import sys, karat.kernels.market; sys.stdout.write(str({'numba', 'llvmlite'} & set(sys.modules)))"
    assert _fresh(code) == "set()"


def test_a_second_process_has_the_market_at_once() -> None:
    code = (
        "import sys, time, numpy; s = time.perf_counter(); from karat.kernels.market import engine; engine(); "
        "import karat.kernels as k; k.prepare(); "
        "sys.stdout.write(f\"{k.bundles_compiled()} {'numba' in sys.modules} {time.perf_counter() - s}\")"
    )
    _fresh(code)
    compiling, numba, seconds = _fresh(code).split()
    assert (compiling, numba) == ("0", "False")
    assert float(seconds) < 5.0  # 0.2 s alone; the machine is shared


@pytest.mark.slow
@pytest.mark.parametrize("bundle", sorted(_jit.BUNDLES))
def test_a_bundle_compiles_cold_within_the_budget(bundle: str, tmp_path: Path) -> None:
    code = (
        "import sys, time; from karat.kernels import _jit, _bundle; s = time.perf_counter(); "
        "_bundle.library(sys.argv[1], _jit.BUNDLES[sys.argv[1]]); sys.stdout.write(str(time.perf_counter() - s))"
    ).replace("sys.argv[1]", repr(bundle))
    assert float(_fresh(code, KARAT_CACHE=str(tmp_path))) < 60.0  # 9 s alone for the largest; the machine is shared


def test_a_compilation_is_announced_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = _bundle.Bundle(b"code", ("a",), ())
    monkeypatch.setenv("KARAT_CACHE", str(tmp_path))
    monkeypatch.setattr(
        _build, "build", lambda roots: caplog.messages == ["compiling the kernels of runs_jit, once"] and made
    )
    with caplog.at_level("INFO", logger="karat.kernels"):
        assert _bundle._compiled("karat.kernels._runs_jit", (), "key") is made
    assert caplog.messages == ["compiling the kernels of runs_jit, once"]
