"""The compiled check of event rows against plain rules, whole and in pieces. Numbers are the module's invariants."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.kernels.market import _event_checks as checks
from karat.kernels.market import _layout as layout

ORACLE = runpy.run_path(str(Path(__file__).parents[1] / "oracles" / "oracle_event_checks.py"))["rule_of"]
FORBIDS = {"raw": 0, "split_adjusted": checks.NO_SPLIT, "total_return": checks.NO_SPLIT | checks.NO_DIVIDEND}
FIELDS = ("step", "delay", "kind", "instrument", "price", "qty", "a", "b", "c", "d")
KINDS = [*range(1, 15), *range(32, 38), 1, 1, 2, 2]
ODD = [0, -1, 1, 7, 99, layout.NONE, 2**52, 2**52 - 1]
SEEDS = st.integers(0, 2**32 - 1)


def make_row(rng: np.random.Generator, basis: str) -> dict[str, int]:
    """A row that is mostly right, of any kind, with one field in one of twelve rows changed to something odd."""
    kind = int(rng.choice(KINDS))
    kind = 37 if basis != "raw" and kind in (33, 34) and rng.random() < 0.9 else kind
    price = int(rng.integers(3, 9))
    values = {
        "step": int(rng.choice([1, 2] if kind in (1, *range(32, 38)) else [0, 1, 2])),
        "delay": int(rng.integers(9, 11)),
        "kind": kind,
        "instrument": int(rng.integers(0, 2)),
        "price": price,
        "qty": int(rng.integers(1, 9)),
        "a": price + int(rng.integers(1, 4)) if kind < 32 else int(rng.integers(1, 7)),
        "b": int(rng.integers(1, price + 1)),
        "c": price if kind == 1 else 9,
        "d": 1,  # a bar begins so long before its end
    }
    if rng.random() < 1 / 12:
        name = str(rng.choice(FIELDS))
        odd = {
            "step": [-1, 0],
            "delay": [-1, 0, 3],
            "kind": [0, 15, 31, 38, -1],
            "instrument": [-1, 2],
            "d": [0, -1, 9],
        }
        values[name] = int(rng.choice(odd.get(name, [*ODD, price, price + 1])))
    return values


def make_rows(seed: int, basis: str) -> list[dict[str, int]]:
    rng = np.random.default_rng(seed)
    return with_times([make_row(rng, basis) for _ in range(int(rng.integers(0, 25)))])


def with_times(rows: list[dict[str, int]]) -> list[dict[str, int]]:
    ts, result = 5, []
    for row in rows:
        now = ts + row["step"]
        ts = max(ts, now)
        result.append({**row, "ts": now, "known_at": now + row["delay"], "d": now - row["d"]})
    return result


def check(rows: list[dict[str, int]], state: np.ndarray, locked: bool) -> tuple[int, list[int]]:
    kinds = {"kind": np.int8, "instrument": np.int32}
    names = ("ts", "known_at", "kind", "instrument", "price", "qty", "a", "b", "c", "d")
    columns = {name: np.array([row[name] for row in rows], kinds.get(name, np.int64)) for name in names}
    table = np.zeros(layout.COLUMNS, np.int64)
    for place, column in enumerate(columns.values()):
        table[layout.V_TS + place] = column.ctypes.data
    found = np.zeros(checks.KEPT + 1, np.int64)
    addresses = (state.ctypes.data, found.ctypes.data)
    rule = checks.check_rows(table.ctypes.data, len(rows), 2, int(locked), *addresses)
    return int(rule), found[1 : 1 + min(int(found[0]), checks.KEPT)].tolist()


def plain(rows: list[dict[str, int]], locked: bool, basis: str) -> list[int]:
    rules: list[int] = []
    for i, row in enumerate(rows):
        rules.append(ORACLE(row, rows[:i], 2, locked, basis))
        row["accepted_time"] = int(rules[-1] not in (1, 2, 3, 4, 5))
        row["accepted_known"] = int(rules[-1] == 0 or rules[-1] > 6)
    return rules


@settings(max_examples=600, deadline=None, derandomize=True)
@given(SEEDS, st.booleans(), st.sampled_from(sorted(FORBIDS)))
def test_1_the_first_broken_rule_is_the_plain_ones(seed: int, locked: bool, basis: str) -> None:
    rows = make_rows(seed, basis)
    rules = plain(rows, locked, basis)
    rule, at = check(rows, checks.new_state(2, FORBIDS[basis]), locked)
    first = next((number for number in rules if number), 0)
    assert rule == first
    if first:
        # what follows a row that was refused depends on how much of it still counts, so only the first is compared
        assert at[0] == rules.index(first)


def test_1_the_streams_of_these_tests_break_every_rule() -> None:
    seen = {check(make_rows(seed, "raw"), checks.new_state(2, 0), False)[0] for seed in range(1500)}
    adjusted = {check(make_rows(k, "total_return"), checks.new_state(2, 3), False)[0] for k in range(100)}
    assert seen | adjusted == set(range(18))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SEEDS, st.integers(0, 25), st.sampled_from(sorted(FORBIDS)))
def test_2_two_pieces_answer_like_the_whole(seed: int, cut: int, basis: str) -> None:
    rows = make_rows(seed, basis)
    whole = check(rows, checks.new_state(2, FORBIDS[basis]), False)
    state = checks.new_state(2, FORBIDS[basis])
    first = check(rows[:cut], state, False)
    second = check(rows[cut:], state, False)
    assert whole[0] == (first[0] or second[0])
    if not first[0] and second[0]:
        assert whole[1] == [row + cut for row in second[1]]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=9), st.integers(1, 10**6), st.floats(-0.4, 0.4))
def test_3_a_number_off_its_step_is_found_and_not_moved(steps: list[int], per_unit: int, off: float) -> None:
    values = np.array(steps) / per_unit
    values[-1] += off / per_unit
    out, found = np.zeros(len(steps), np.int64), np.zeros(checks.KEPT + 1, np.int64)
    addresses = (values.ctypes.data, len(steps), float(per_unit), 1e-6, out.ctypes.data, found.ctypes.data)
    rule = checks.to_units(*addresses)
    if abs(off) > 3e-6:
        assert (rule, found[0], found[1]) == (2, 1, len(steps) - 1)
    elif abs(off) < 1e-8:
        assert rule == 0
        assert out.tolist() == steps
    assert checks.to_units(*addresses[:3], 1.0, *addresses[4:]) == 0  # adjusted prices: to the nearest step
    assert out.tolist() == steps


def test_3_what_is_no_number_or_too_large_is_found() -> None:
    found = np.zeros(checks.KEPT + 1, np.int64)
    for value, rule in ((np.nan, 1), (np.inf, 1), (-np.inf, 1), (2.0**52, 3), (-(2.0**60), 3), (2.0**52 - 1, 0)):
        values, out = np.array([1.0, value]), np.zeros(2, np.int64)
        assert checks.to_units(values.ctypes.data, 2, 1.0, 1e-6, out.ctypes.data, found.ctypes.data) == rule
        assert found[:2].tolist() == [1, 1] if rule else found[0] == 0
