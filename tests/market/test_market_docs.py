"""The market's pages say what the code does: their tables are the kernel's."""

from __future__ import annotations

import re
from pathlib import Path

from karat.kernels.market import layout
from karat.kernels.market._orders import ALLOWED
from karat.market import PROFILES, compiled
from karat.market import _profiles as profiles
from karat.market._record import EVENTS, GATEWAY_REASONS

DOCS = Path(__file__).parents[2] / "docs"
CONCEPT = (DOCS / "concepts" / "market.md").read_text(encoding="utf-8")
STATES = ("pending", "waiting", "live", "partial", "filled", "cancelled", "rejected", "expired", "prevented")


def test_the_table_of_what_a_compiled_strategy_may_call_is_the_module() -> None:
    rows = re.findall(r"^\| (`.*?) \|", compiled.__doc__ or "", re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)\(", row)}
    assert named == {name for name in compiled.__all__ if name.islower()}


def test_the_table_of_states_is_the_kernels() -> None:
    section = CONCEPT.split("## States")[1].split("## Bars")[0]
    rows = re.findall(r"^\| ([a-z(][^|]*) \| ([a-z, ]+) \|$", section, re.M)
    listed: dict[str, set[str]] = {}
    for names, after in rows:
        for name in names.split(":")[0].split(", "):
            listed[name] = set() if after == "nothing" else set(after.split(", "))
    for before, name in enumerate(STATES, start=layout.PENDING_NEW):
        legal = {STATES[state - 1] for state in range(1, 10) if ALLOWED[before] >> state & 1}
        assert listed[name] == legal, name
    assert listed["(new)"] == {"pending", "waiting"}


def test_every_message_and_every_reason_of_a_refusal_is_on_the_page() -> None:
    told = [name for name in EVENTS.values() if name not in ("accepted", "triggered", "activated", "amended")]
    assert [name for name in told if f"`{name}`" not in CONCEPT] == []
    refusing = range(layout.R_INSTRUMENT, layout.R_CANCEL_ONLY + 1)
    reasons = [GATEWAY_REASONS[code][0] for code in refusing]
    assert [name for name in reasons if f"`{name}`" not in CONCEPT] == []


def test_every_number_of_a_profile_has_a_row_with_its_source() -> None:
    assert profiles.__doc__ is not None
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$", profiles.__doc__, re.M)
    assert {name for name, _ in rows} - {"profile"} == set(PROFILES)
    assert all(source.strip() for _, source in rows)
