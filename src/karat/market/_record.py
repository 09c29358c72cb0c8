"""`MarketRun`: what happened in an event market: fills, orders, equity, positions, itemised costs, telemetry.

Invariants:
1. Every frame is made from whole numbers of the declared steps; `money` keeps them exact, as decimals.
2. cash + positions = start + realised + unrealised - charges + income, exactly, in every currency.
3. Fills add up to the positions, fees to the charges: the telemetry is counted from the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from karat._words import counted
from karat.data import Events
from karat.kernels.market import Block, engine, table, without_session
from karat.kernels.market import layout as at
from karat.kernels.market._rules_layout import B_HALTS
from karat.market._compliance import NOT_EVALUABLE
from karat.market._orders import TYPES, Ints
from karat.market._reasons import REASONS
from karat.market._rules_evaluated import rules_evaluated
from karat.market._venue import VenueSpec, unit_of

EVENTS: Final = {
    at.ACCEPTED: "accepted",
    at.REJECTED_GATEWAY: "rejected_gateway",
    at.REJECTED_VENUE: "rejected_venue",
    at.CANCEL_DONE: "cancelled",
    at.CANCEL_REJECTED: "cancel_rejected",
    at.EXPIRED_NEWS: "expired",
    at.AMENDED: "amended",
    at.AMEND_REJECTED: "amend_rejected",
    at.TRIGGERED: "triggered",
    at.PREVENTED_NEWS: "self_trade_prevented",
    at.ACTIVATED: "activated",
    at.MARGIN_CALL: "margin_call",
    at.MARGIN_MET: "margin_met",
}
GATEWAY_REASONS: Final = {
    at.OK: ("", ""),
    at.R_INSTRUMENT: ("unknown_instrument", "there is no such instrument"),
    at.R_COMBINATION: ("combination", "side, type, force, flags or list do not go together"),
    at.R_QUANTITY: ("quantity", "the quantity must be above zero, what is shown no larger"),
    at.R_PRICE: ("price", "this type needs a price above zero"),
    at.R_DUPLICATE: ("duplicate_id", "ids must rise; the number is the last one used"),
    at.R_TABLE_FULL: ("too_many_orders", "more orders than open_orders allows; the number is the limit"),
    at.R_REDUCE_ONLY: ("reduce_only", "there is no position to reduce"),
    at.R_FUNDS: ("funds", "free margin does not cover it; the number is what is missing, in money quanta"),
    at.R_POST_ONLY: ("post_only", "it would have taken at once"),
    at.R_CLOSED: ("closed", "the market is closed"),
    at.R_HALTED: ("halted", "the market is halted or paused"),
    at.R_CANCEL_ONLY: ("cancel_only", "only cancels are taken now"),
    at.R_TOO_LATE: ("too_late", "the order was over already"),
    at.R_UNKNOWN_ORDER: ("unknown_order", "no order ever had this id"),
    at.R_IMMEDIATE: ("immediate_or_cancel", "what could not be filled at once"),
    at.R_ALL_OR_NONE: ("fill_or_kill", "it could not be filled whole at once"),
    at.R_DAY_OVER: ("day_over", "a day order at the end of its session"),
    at.R_DATE_OVER: ("date_over", "its expiry has come"),
    at.R_AUCTION_MISSED: ("auction_over", "the auction it was for did not fill it"),
    at.R_CUTOFF: ("cutoff", "it came after the auction's cut-off"),
    at.R_OTHER_LEG: ("other_leg", "another leg of its list was filled, set off or ended"),
    at.R_PARENT: ("parent", "its parent is unknown, over, or ended without a fill"),
    at.R_SELF_TRADE: ("self_trade", "it would have met an own order"),
    at.R_REQUESTED: ("requested", "as asked"),
    at.R_LIQUIDATION: ("liquidation", "sent or cancelled by the market after a margin call"),
    at.R_PENDING: ("not_there_yet", "the order has not arrived or does not live yet"),
    at.R_NO_MARKET: ("no_market", "there is no price to size or to check it with"),
    at.R_SPLIT: ("split", "changed by a split"),
    at.R_MARGIN_CALL: ("margin_call", "equity is or was below the maintenance margin; only what reduces is taken"),
    at.R_NO_SHORT: ("no_short_sale", "nothing may be sold short: none is located, or it is a cash account"),
    at.R_LOCATE: ("not_located", "more would be short than is located"),
    at.R_LOCATE_EXPIRED: ("locate_expired", "what was located has expired"),
    at.R_RECALLED: ("recalled", "the lender has recalled the shares"),
}
_SIDE: Final = {1: "buy", -1: "sell"}
_LIQUIDITY: Final = {0: "taker", 1: "maker"}
_TYPE: Final = {code: name for name, code in TYPES.items()}


@dataclass(frozen=True, eq=False)
class MarketRun:
    """The result of an event market up to where it was advanced.

    block: the state at the end. fill_rows, news_rows: everything that was recorded, as words. equity_rows, equity_ts:
    equity in money quanta after each row of the events, or, where they came in chunks, at the end of each; None where
    it was not kept. rows: of the events, that were taken. Frames are made when asked for; money in them is the nearest
    float of exact quanta.
    """

    events: Events
    spec: VenueSpec
    block: Block
    fill_rows: Ints
    news_rows: Ints
    equity_rows: Ints | None
    equity_ts: Ints
    rows: int

    @cached_property
    def fills(self) -> pl.DataFrame:
        """One row a fill, in the order of execution.

        Columns: ts, known_at (when the strategy learned it), order, instrument, side, type, quantity, price, liquidity
        (`maker` or `taker`), fee, slippage (what the fill cost against its reference price), reference_price,
        realised (profit of what it closed), position (after it), sent_ts, row (of the events that caused it), cause
        (empty, or why the market sent the order for the account: `liquidation`, `recalled`; its number is below zero).
        """
        rows, number = self.fill_rows, self.fill_rows[:, at.F_INSTRUMENT]
        side, units = rows[:, at.F_SIDE], self._units[number]
        worse = side * (rows[:, at.F_PRICE] - rows[:, at.F_REFERENCE]) * rows[:, at.F_QTY] * units
        return pl.DataFrame(
            {
                "ts": rows[:, at.F_TS],
                "known_at": rows[:, at.F_KNOWN],
                "order": rows[:, at.F_ID],
                "instrument": self._names(number),
                "side": _named(side, _SIDE),
                "type": _named(rows[:, at.F_TYPE], _TYPE),
                "quantity": self._lots(rows[:, at.F_QTY], number),
                "price": self._prices(rows[:, at.F_PRICE], number),
                "liquidity": _named(rows[:, at.F_MAKER], _LIQUIDITY),
                "fee": self._money(rows[:, at.F_FEE]),
                "slippage": self._money(worse),
                "reference_price": self._prices(rows[:, at.F_REFERENCE], number),
                "realised": self._money(rows[:, at.F_REALISED]),
                "position": self._lots(rows[:, at.F_POSITION], number),
                "sent_ts": rows[:, at.F_SENT],
                "row": rows[:, at.F_ROW],
                "cause": self._causes(rows[:, at.F_ID]),
            }
        )

    @cached_property
    def messages(self) -> pl.DataFrame:
        """One row a message: ts, known_at, order, event, reason, meaning, number_a, number_b.

        Those of order 0 are about the account: `margin_call` and `margin_met`, with equity and requirement in money
        quanta as numbers.
        """
        rows = self.news_rows
        reasons = {int(code): _reason(int(code)) for code in np.unique(rows[:, at.N_REASON])}
        return pl.DataFrame(
            {
                "ts": rows[:, at.N_TS],
                "known_at": rows[:, at.N_KNOWN],
                "order": rows[:, at.N_ID],
                "event": _named(rows[:, at.N_KIND], EVENTS),
                "reason": _named(rows[:, at.N_REASON], {code: words[0] for code, words in reasons.items()}),
                "meaning": _named(rows[:, at.N_REASON], {code: words[1] for code, words in reasons.items()}),
                "number_a": rows[:, at.N_A],
                "number_b": rows[:, at.N_B],
            }
        )

    @cached_property
    def equity(self) -> pl.DataFrame:
        """The equity after the last row of each ts: ts, equity. Empty where it was not kept."""
        if self.equity_rows is None:
            return pl.DataFrame({"ts": [], "equity": []}, schema={"ts": pl.Int64, "equity": pl.Float64})
        ts = self.equity_ts
        last = np.append(ts[1:] != ts[:-1], True) if len(ts) else np.zeros(0, dtype=bool)
        return pl.DataFrame({"ts": ts[last], "equity": self._money(self.equity_rows[last])})

    @cached_property
    def positions(self) -> pl.DataFrame:
        """One row an instrument: what is held, what it is worth, and what trading it brought and cost.

        Columns: instrument, quantity, mark, value, average_price, realised, unrealised, fees, slippage (against the
        reference prices; it is in the prices of the fills, not a charge of its own), borrow (paid for short positions),
        funding and dividends (received),
        traded (value of all fills), ambiguous_bars, ambiguous_money, bars_without_volume.
        """
        rows = table(self.block, "instruments")
        number = np.arange(len(rows))
        held, basis = rows[:, at.I_POSITION], rows[:, at.I_BASIS]
        marked = np.where(rows[:, at.I_MARK] == at.NONE, 0, rows[:, at.I_MARK])
        value = held * marked * self._units
        average = np.divide(basis, held * self._units, out=np.zeros(len(rows)), where=held != 0)
        money = {
            "realised": rows[:, at.I_REALISED],
            "unrealised": value - basis,
            "fees": rows[:, at.I_FEES],
            "slippage": rows[:, at.I_SLIPPAGE],
            "borrow": self.block[rows[:, at.I_MONEY] + at.M_BORROWED],
            "funding": rows[:, at.I_FUNDING],
            "dividends": rows[:, at.I_DIVIDEND],
            "traded": rows[:, at.I_TRADED],
        }
        return pl.DataFrame(
            {
                "instrument": [item.id for item in self.events.instruments],
                "quantity": self._lots(held, number),
                "mark": self._prices(marked, number),
                "value": self._money(value),
                "average_price": self._prices(average, number),
                **{name: self._money(quanta) for name, quanta in money.items()},
                "ambiguous_bars": rows[:, at.I_AMBIGUOUS],
                "ambiguous_money": self._money(rows[:, at.I_AMBIGUOUS_MONEY]),
                "bars_without_volume": rows[:, at.I_WITHOUT_VOLUME],
            }
        )

    @cached_property
    def money(self) -> dict[str, dict[str, Decimal]]:
        """Per currency, exact: start, cash, positions, realised, unrealised, charges, income, settled, unsettled.

        Settled and unsettled are parts of the cash: what sales brought that has not settled yet, and the rest.
        """
        rows, held = table(self.block, "currencies"), table(self.block, "instruments")
        found = {}
        for number, name in enumerate(self.spec.cash):
            row, own = rows[number], held[held[:, at.I_CURRENCY] == number]
            facts = {
                "start": row[at.C_START],
                "cash": row[at.C_CASH],
                "positions": row[at.C_MARKED],
                "realised": row[at.C_REALISED],
                "unrealised": row[at.C_MARKED] - own[:, at.I_BASIS].sum(),
                "charges": row[at.C_CHARGES],
                "income": row[at.C_INCOME],
                "settled": row[at.C_CASH] - row[at.C_UNSETTLED],
                "unsettled": row[at.C_UNSETTLED],
            }
            found[name] = {key: int(value) * self.spec.money_quantum for key, value in facts.items()}
        return found

    @cached_property
    def telemetry(self) -> dict[str, Any]:
        """Counts and rates of the run, for machines: orders by fate, fills, latency, slippage, rejections, doubts."""
        fills, news, whole = self.fills, self.messages, self.positions
        fates = dict(news.group_by("event").len().sort("event").iter_rows())
        accepted = news.filter(pl.col("event") == "accepted")
        refused = news.filter(pl.col("event").is_in(["rejected_gateway", "rejected_venue"]))
        forced = fills.filter(pl.col("cause") != "")
        entry = (accepted["ts"] - accepted["number_b"]).to_numpy()
        return {
            "rows": self.rows,
            "steps": int(self.block[at.H_STEPS]),
            "messages": fates,
            "fills": len(fills),
            "maker_fills": int((fills["liquidity"] == "maker").sum()),
            "fill_rate": self._fill_rate(accepted),
            "entry_latency_ns": _quantiles(entry),
            "time_to_learn_ns": _quantiles((fills["known_at"] - fills["ts"]).to_numpy()),
            "time_to_fill_ns": _quantiles((fills["ts"] - fills["sent_ts"]).to_numpy()),
            "fees": float(whole["fees"].sum()),
            "slippage": float(whole["slippage"].sum()),
            "borrow": float(whole["borrow"].sum()),
            "funding": float(whole["funding"].sum()),
            "dividends": float(whole["dividends"].sum()),
            "traded": float(whole["traded"].sum()),
            "refused_by_reason": dict(refused.group_by("reason").len().sort("reason").iter_rows()),
            "ambiguous_bars": int(whole["ambiguous_bars"].sum()),
            "ambiguous_money": float(whole["ambiguous_money"].sum()),
            "bars_without_volume": int(whole["bars_without_volume"].sum()),
            "self_trade_lots_prevented": int(self.block[at.H_SELF_TRADES]),
            "executions_refused_by_rules": int(self.block[at.H_REFUSED]),
            "margin_calls": int(self.block[at.H_CALLS]),
            "forced_fills": dict(forced.group_by("cause").len().sort("cause").iter_rows()),
            "market_wide_halts": self._halts(),
        }

    @cached_property
    def rules_evaluated(self) -> pl.DataFrame:
        """How well each rule could be judged on this data: instrument, rule, evaluation, why.

        evaluation: `exact`, `approximated` or `not evaluable`. Empty where no instrument has rules or filters.
        """
        members = self.events.instruments
        return rules_evaluated(self.block, [item.id for item in members], [self.spec.of(item) for item in members])

    @property
    def state_hash(self) -> int:
        """A hash of everything that decides what happens next; equal for runs that cannot be told apart."""
        return int(engine().state_hash(self.block.ctypes.data))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should doubt, in plain words."""
        facts, found = self.telemetry, []
        if not len(self.news_rows) and not facts["fills"]:
            found.append("NO TRADES: no order was sent.")
        elif not facts["fills"]:
            found.append("NO TRADES: no order was filled; the messages say what became of each.")
        late = self._sent_after_the_end()
        if late:
            found.append(f"{counted(late, 'order')} sent after the last row of the data, when nothing could fill any.")
        if facts["ambiguous_bars"]:
            bars = counted(facts["ambiguous_bars"], "bar")
            found.append(
                f"{bars} could have reached a stop and a profit target: the stop was taken; "
                f"with the targets instead, the profit would be larger by up to {facts['ambiguous_money']:.2f}."
            )
        if facts["bars_without_volume"]:
            bars = counted(facts["bars_without_volume"], "bar")
            found.append(f"{bars} with live orders had no volume: size was not limited.")
        idle = [self.events.instruments[number].id for number in without_session(self.block)]
        if idle:
            found.append(
                f"The market's rules never applied to {', '.join(idle)}: no status row told a session's open and close."
            )
        if facts["margin_calls"]:
            found.append(
                f"MARGIN: the account was called {counted(facts['margin_calls'], 'time')}; "
                f"{counted(facts['forced_fills'].get('liquidation', 0), 'fill')} closed positions without the strategy."
            )
        if facts["forced_fills"].get("recalled"):
            found.append(f"{counted(facts['forced_fills']['recalled'], 'fill')} bought in what a lender had recalled.")
        unknown = self.rules_evaluated.filter(pl.col("evaluation") == NOT_EVALUABLE)
        for name, own in unknown.group_by("instrument", maintain_order=True):
            found.append(
                f"Rules of {name[0]} that could not be evaluated: {', '.join(own['rule'])}; not seen, not passed."
            )
        short = [name for name, row in self.money.items() if row["cash"] < 0]
        if short:
            found.append(f"Cash ended below zero in {', '.join(short)}: interest is not simulated.")
        return tuple(found)

    def _sent_after_the_end(self) -> int:
        """Return how many accepted orders were sent when the data had ended."""
        news, end = self.news_rows, int(self.events.ts[-1]) if len(self.events) else at.FAR
        return int(((news[:, at.N_KIND] == at.ACCEPTED) & (news[:, at.N_B] > end)).sum())

    def write(self, folder: str | Path) -> Path:
        """Write fills, messages, equity, positions and rules as Parquet, the telemetry as JSON; return the folder."""
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        for name in ("fills", "messages", "equity", "positions", "rules_evaluated"):
            getattr(self, name).write_parquet(root / f"{name}.parquet")
        money = {name: {key: str(value) for key, value in row.items()} for name, row in self.money.items()}
        facts = {"telemetry": self.telemetry, "money": money, "notes": self.notes, "spec": self.spec.model_dump()}
        text = json.dumps(facts, indent=1, default=str, sort_keys=True)
        (root / "run.json").write_text(text + "\n", encoding="utf-8")
        return root

    def _repr_html_(self) -> str:
        money = {key: f"{value:,.2f}" for key, value in next(iter(self.money.values())).items()}
        cells = "".join(f"<tr><td>{key}</td><td>{value}</td></tr>" for key, value in money.items())
        notes = "".join(f"<li>{note}</li>" for note in self.notes)
        return f"<table>{cells}</table><ul>{notes}</ul>{self.fills.head(20)._repr_html_()}"

    def _halts(self) -> int:
        index = int(self.block[at.H_INDEX]) - 1
        return 0 if index < 0 else int(self.block[table(self.block, "instruments")[index, at.I_BREAKER] + B_HALTS])

    def _fill_rate(self, accepted: pl.DataFrame) -> float | None:
        """Return the share of the lots of accepted orders that was filled; an amended order counts as amended."""
        amended = self.messages.filter(pl.col("event") == "amended").select("order", pl.col("number_b").alias("lots"))
        asked = pl.concat([accepted.select("order", pl.col("number_a").alias("lots")), amended])
        lots = dict(asked.iter_rows())
        own = np.isin(self.fill_rows[:, at.F_ID], accepted["order"].to_numpy())
        whole = sum(lots[order] for order in accepted["order"])
        return int(self.fill_rows[own, at.F_QTY].sum()) / whole if whole else None

    @cached_property
    def _units(self) -> Ints:
        """Money quanta of one tick of one lot, of each instrument."""
        count = len(self.events.instruments)
        return np.array([unit_of(self.spec, self.events, number) for number in range(count)], dtype=np.int64)

    def _causes(self, orders: Ints) -> pl.Series:
        """Return why the market sent each order, empty for those of the strategy."""
        sent = self.messages.filter((pl.col("order") < 0) & (pl.col("event") == "accepted"))
        causes = {0: "", **dict(sent.select("order", "reason").iter_rows())}
        return _named(np.minimum(orders, 0), causes)

    def _names(self, number: Ints) -> pl.Series:
        return _named(number, {place: item.id for place, item in enumerate(self.events.instruments)})

    def _money(self, quanta: Any) -> Any:
        return quanta / float(1 / self.spec.money_quantum)

    def _prices(self, ticks: Any, number: Ints) -> Any:
        return _scaled(ticks, number, self.events.price_quanta)

    def _lots(self, lots: Any, number: Ints) -> Any:
        return _scaled(lots, number, self.events.lot_quanta)


def _scaled(count: Any, number: Ints, steps: tuple[Decimal, ...]) -> Any:
    """Return counts of steps as the nearest floats: divided where a step is one over a whole number."""
    whole = [1 % step == 0 for step in steps]
    up = np.array([1.0 if parts else float(step) for step, parts in zip(steps, whole, strict=True)])
    down = np.array([float(1 / step) if parts else 1.0 for step, parts in zip(steps, whole, strict=True)])
    return count * up[number] / down[number]


def _named(codes: Ints, names: Mapping[int, str]) -> pl.Series:
    """Return the name of each code."""
    keys = sorted(names)
    words = pl.Series([names[key] for key in keys], dtype=pl.String)
    return words.gather(np.searchsorted(keys, codes))


def _reason(code: int) -> tuple[str, str]:
    if code in GATEWAY_REASONS:
        return GATEWAY_REASONS[code]
    rule = REASONS[code]
    return rule.name, rule.text


def _quantiles(values: Any) -> dict[str, float]:
    if not len(values):
        return {}
    levels = {"p50": 50, "p90": 90, "p99": 99, "p99_9": 99.9, "max": 100}
    return {name: float(np.percentile(values, level)) for name, level in levels.items()}
