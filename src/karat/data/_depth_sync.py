"""Joining a snapshot of a book and the stream of its changes, by update numbers, as a venue prescribes.

Update messages carry the first (`U`) and last (`u`) number of the changes they hold; the futures venue also the last
number of the message before (`pu`). Source of the rules: Binance's documents "How to manage a local order book
correctly", for spot and for USD-M futures.

| step | spot | futures |
|---|---|---|
| dropped | u <= lastUpdateId | u < lastUpdateId |
| first applied | U <= lastUpdateId + 1 <= u | U <= lastUpdateId <= u |
| then | U is the last u + 1 | pu is the last u |

Invariants:
1. Quantities are absolute: applying a change twice does no harm, and removing a level that is not there is normal.
2. A gap is an error that names the message: a book with a gap is wrong for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from karat.core import DataError, InputError

VENUES: Final = ("spot", "futures")


@dataclass(frozen=True)
class DepthSync:
    """A book after its snapshot and updates: positions of dropped and applied messages, levels from the best."""

    dropped: tuple[int, ...]
    applied: tuple[int, ...]
    final_update_id: int
    bids: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]


def sync_rows(
    last_update_id: int, updates: Sequence[Mapping[str, Any]], venue: str = "spot"
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the positions of the updates to drop and to apply after a snapshot.

    Raises:
        InputError: an unknown venue. DataError: a gap, or a snapshot that is older than the first update.
    """
    if venue not in VENUES:
        raise InputError("venue", venue, allowed=VENUES)
    dropped: list[int] = []
    applied: list[int] = []
    last = last_update_id
    for k, update in enumerate(updates):
        first, end = int(update["U"]), int(update["u"])
        if not applied:
            if end < last + (venue == "spot"):
                dropped.append(k)
                continue
            if first > last + (venue == "spot"):
                raise _gap(k, f"it begins with {first}, the snapshot ends with {last}", "take a later snapshot")
        else:
            before = _before(update) if venue == "futures" else first - 1
            if before != last:
                raise _gap(k, f"it follows {before}, the last one ended with {last}", "restart from a new snapshot")
        applied.append(k)
        last = end
    return tuple(dropped), tuple(applied)


def depth_sync(snapshot: Mapping[str, Any], updates: Sequence[Mapping[str, Any]], *, venue: str = "spot") -> DepthSync:
    """Return the book that a snapshot and its updates give; prices and sizes stay the venue's text.

    snapshot: lastUpdateId, bids, asks. updates: U, u, b, a and, for futures, pu, in the order of receipt.

    Raises:
        InputError: an unknown venue. DataError: a gap, or a snapshot that is older than the first update.
    """
    dropped, applied = sync_rows(int(snapshot["lastUpdateId"]), updates, venue)
    sides: list[dict[Decimal, tuple[str, str]]] = [{}, {}]
    for side, key in zip(sides, ("bids", "asks")):
        _set(side, snapshot[key])
    for k in applied:
        for side, key in zip(sides, ("b", "a")):
            _set(side, updates[k][key])
    final = int(updates[applied[-1]]["u"]) if applied else int(snapshot["lastUpdateId"])
    bids, asks = (tuple(side[p] for p in sorted(side, reverse=down)) for side, down in zip(sides, (True, False)))
    return DepthSync(dropped, applied, final, bids, asks)


def _set(side: dict[Decimal, tuple[str, str]], levels: Sequence[Sequence[str]]) -> None:
    for price, size in levels:
        if Decimal(size) == 0:
            side.pop(Decimal(price), None)
        else:
            side[Decimal(price)] = (price, size)


def _before(update: Mapping[str, Any]) -> int:
    if update.get("pu") is None:
        raise InputError("venue", "futures", why="the updates do not say what they follow (pu)", fix="try venue='spot'")
    return int(update["pu"])


def _gap(k: int, seen: str, fix: str) -> DataError:
    return DataError(
        "depth updates", "updates follow each other without a gap", rows=[f"message {k}"], seen=seen, fix=fix
    )
