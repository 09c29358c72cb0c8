"""The compiled market as the comparison tests drive it: scenarios in, fills, messages and money out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from market_oracle_types import Fill, News

from karat.kernels.market import _layout as at
from karat.kernels.market._block import Block, Sizes, Terms, mark_read, new_block, table
from karat.kernels.market._engine import bind_orders

COLUMN_OF = {
    "ts": (at.V_TS, np.int64),
    "kind": (at.V_KIND, np.int8),
    "instrument": (at.V_INSTRUMENT, np.int32),
    "price": (at.V_PRICE, np.int64),
    "qty": (at.V_QTY, np.int64),
    "a": (at.V_A, np.int64),
    "b": (at.V_B, np.int64),
    "c": (at.V_C, np.int64),
    "d": (at.V_D, np.int64),
}


MONEY_TERMS = ("initial", "maintenance", "settlement_days", "borrow", "locate")


def terms_of(keywords: dict[str, Any]) -> Terms:
    """Return the kernel's terms of an instrument described in the oracle's words."""
    slip = (keywords.get("slip_kind", 0), (keywords.get("slip_value", 0),))
    flags = (at.MARK_MID if keywords.get("mark_mid") else 0) | (at.WHOLE_ONLY if keywords.get("whole_only") else 0)
    return Terms(
        matcher=keywords.get("matcher", at.BARS),
        unit=keywords.get("unit", 1),
        currency=keywords.get("currency", 0),
        participation=keywords.get("participation"),
        maker=keywords.get("maker", 0),
        taker=keywords.get("taker", 0),
        per_lot=keywords.get("per_lot", 0),
        minimum_fee=keywords.get("min_fee", 0),
        slippage=slip,
        queue=(1, ()),
        fills=keywords.get("fills", (0, ())),
        impact=(3, (0.0, 0.0, keywords["gamma"])) if keywords.get("gamma") else (0, ()),
        cutoff_ns=keywords.get("cutoff", 0),
        **{name: keywords[name] for name in MONEY_TERMS if name in keywords},
        flags=flags | at.MAY_CROSS,
        book=(0, 512) if keywords.get("matcher", at.BARS) in (at.DEPTH, at.ORDERS) else None,
        room=(128, 64) if keywords.get("matcher", at.BARS) == at.ORDERS else None,
    )


@dataclass
class Engine:
    """One run of the compiled market over a scenario."""

    block: Block
    columns: np.ndarray
    keep: list[np.ndarray]

    @classmethod
    def on(
        cls, terms: Any, cash: Any, columns: dict[str, Any], intents: Any, more: Any = None, **account: int
    ) -> Engine:
        """Return an engine before its first row; `more`: fields of all terms; `account`: margin and account codes."""
        made = [replace(terms_of(one), **(more or {})) for one in terms]
        block = new_block(made, list(cash), sizes=Sizes(), **account)
        bind_orders(block)
        view, keep = np.zeros(at.COLUMNS, dtype=np.int64), []
        view[at.V_ROWS], view[at.V_INTENTS] = len(columns["ts"]), len(intents)
        for name, (word, kind) in COLUMN_OF.items():
            keep.append(np.ascontiguousarray(columns[name], dtype=kind))
            view[word] = keep[-1].ctypes.data
        keep.append(np.ascontiguousarray(np.reshape(intents, (-1, at.INTENT)), dtype=np.int64))
        view[at.V_INTENT_ROWS] = keep[-1].ctypes.data
        return cls(block, view, keep)

    def advance(self, until: int = at.FAR, steps: int = 1 << 60) -> int:
        from karat.kernels.market._advance import advance

        return int(advance(self.block.ctypes.data, self.columns.ctypes.data, until, steps))

    def state_hash(self) -> int:
        from karat.kernels.market._advance import state_hash

        return int(state_hash(self.block.ctypes.data))

    def taken(self, name: str) -> np.ndarray:
        """Return the unread fills or news, which are then read."""
        rows = table(self.block, name).copy()
        mark_read(self.block, name)
        return rows

    def fills(self) -> list[Fill]:
        rows = self.taken("fills")
        pick = [at.F_TS, at.F_ID, at.F_INSTRUMENT, at.F_SIDE, at.F_PRICE, at.F_QTY, at.F_MAKER, at.F_FEE,
                at.F_REFERENCE, at.F_POSITION]  # fmt: skip
        return [Fill(*(bool(v) if k == 6 else int(v) for k, v in enumerate(row))) for row in rows[:, pick]]

    def news(self) -> list[News]:
        rows = self.taken("news")
        return [News(*map(int, row)) for row in rows[:, [at.N_TS, at.N_ID, at.N_KIND, at.N_REASON]]]

    def short(self) -> list[int]:
        """Return the lots of each instrument that are short, held and under way."""
        from karat.kernels.market._borrow import short_lots

        s, first = self.block.ctypes.data, int(self.block[at.H_AT_INSTRUMENTS])
        count = int(self.block[at.H_INSTRUMENTS])
        return [int(short_lots(s, s + 8 * (first + number * at.INSTRUMENT), -1)) for number in range(count)]

    def money(self) -> dict[str, list[int]]:
        currencies, instruments = table(self.block, "currencies"), table(self.block, "instruments")
        return {
            "cash": currencies[:, at.C_CASH].tolist(),
            "marked": currencies[:, at.C_MARKED].tolist(),
            "positions": instruments[:, at.I_POSITION].tolist(),
            "basis": instruments[:, at.I_BASIS].tolist(),
            "realised": instruments[:, at.I_REALISED].tolist(),
            "charges": instruments[:, at.I_CHARGES].tolist(),
            "income": instruments[:, at.I_INCOME].tolist(),
            "short": self.short(),
            "unsettled": currencies[:, at.C_UNSETTLED].tolist(),
            "borrowed": [int(self.block[m + at.M_BORROWED]) for m in instruments[:, at.I_MONEY]],
        }
