"""The rules of event rows, one after the other over plain records, by the words of the event table."""

from __future__ import annotations

TOP = 2**52
NONE = -(2**62)
FAMILIES = (range(1, 2), range(2, 3), range(3, 6), range(6, 9), range(9, 15), range(32, 38))


def rule_of(row: dict[str, int], before: list[dict[str, int]], instruments: int, locked: bool, basis: str) -> int:
    """Return the number of the rule that a row breaks after the rows before it, 0 for none."""
    kind, price, qty = row["kind"], row["price"], row["qty"]
    a, b, c, d = (row[name] for name in "abcd")
    family = next((k for k, codes in enumerate(FAMILIES) if kind in codes), None)
    if family is None:
        return 1
    if not 0 <= row["instrument"] < instruments:
        return 2
    known = [each for each in before if each["kind"] in {k for codes in FAMILIES for k in codes}]
    known = [each for each in known if 0 <= each["instrument"] < instruments]
    latest = max((each["ts"] for each in known), default=-(2**63))
    if row["ts"] < latest:
        return 3
    if row["ts"] == latest and kind >= 32 and any(each["ts"] == latest and each["kind"] < 32 for each in known):
        return 4
    if row["known_at"] < row["ts"]:
        return 5
    mine = [e for e in known if e["instrument"] == row["instrument"] and e["kind"] in FAMILIES[family]]
    mine = [e for e in mine if e["known_at"] >= e["ts"] and e["accepted_time"]]
    if mine and row["known_at"] < max(e["known_at"] for e in mine):
        return 6
    return content(
        kind, price, qty, a, b, c, d, row["ts"], [e["ts"] for e in mine if e["accepted_known"]], locked, basis
    )


def content(
    kind: int, price: int, qty: int, a: int, b: int, c: int, d: int, ts: int, ends: list[int], locked: bool, basis: str
) -> int:
    """Return the rule that the numbers of a row break."""
    if kind == 1:
        if b <= 0 or a >= TOP:
            return 7
        if not (b <= min(price, c) and max(price, c) <= a):
            return 9
        if qty < -1 or qty >= TOP:
            return 8
        return 10 if d >= ts else 11 if ends and d < max(ends) else 0
    if kind == 2:
        if any(p != NONE and not 0 < p < TOP for p in (price, a)):
            return 7
        if any(not 0 <= q < TOP for q in (qty, b)) or (price == NONE and qty) or (a == NONE and b):
            return 8
        if NONE in (price, a) or price < a:
            return 0
        return 12 if price > a else 0 if locked else 13
    if kind < 32:
        if kind in (8, 12):
            return 0
        if kind != 11 and not 0 < price < TOP:
            return 7
        return 0 if (0 if kind in (6, 7) else 1) <= qty < TOP else 8
    if kind == 32:
        return 0 if a in range(7) and b <= c else 14
    if kind == 33:
        if basis != "raw":
            return 16
        return 15 if a <= 0 or b <= 0 else 7 if price < 0 else 0
    if kind == 34:
        return 16 if basis == "total_return" else 15 if a < 0 else 0
    if kind == 36:
        return 0 if a >= 0 and b > 0 else 17
    return 0 if 0 < price < TOP or (kind == 35 and price == NONE) else 7
