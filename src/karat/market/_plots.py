"""Pictures of a run of the event market: equity and drawdown, fills on the price, costs by kind, delays.

Invariants:
1. Nothing of the user's matplotlib settings is used, and none is changed.
2. What cannot be drawn is said in its place: no fills, no equity kept, no price in the data.
3. A long series is thinned so that the highest and the lowest value of every stretch stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from karat._words import counted
from karat.kernels.market import layout as at
from karat.market._record import MarketRun
from karat.market._summary import costs_by_currency

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_BUY, _SELL, _LINE, _FALL, _MUTED = "#1b6fb3", "#c8561b", "#3b4654", "#b23a48", "#6b7683"
_POINTS: Final = 1_500
_MANY: Final = 150
_SETTINGS: Final[dict[str, Any]] = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e7eb",
    "axes.edgecolor": "#c3c9d1",
    "axes.labelcolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "svg.hashsalt": "karat",
    "svg.fonttype": "none",
    "text.parse_math": False,
}


def plot_run(run: MarketRun) -> Figure:
    """Return a figure of the run: equity with drawdown, fills on the price, costs by kind, delays of orders.

    Of several instruments the price of the most traded one is drawn.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: Any = matplotlib.rcParams  # typed for literal keys only
        settings.update(_SETTINGS)
        layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08)
        figure = Figure(figsize=(10, 9.5), layout=layout, facecolor="white")
        rows = figure.add_gridspec(4, 2, height_ratios=(2.2, 1.0, 2.6, 1.7))
        top = figure.add_subplot(rows[0, :])
        _equity(top, figure.add_subplot(rows[1, :], sharex=top), run)
        _fills(figure.add_subplot(rows[2, :]), run)
        _costs(figure.add_subplot(rows[3, 0]), run)
        _delays(figure.add_subplot(rows[3, 1]), run)
        figure.canvas.draw_idle()
    return figure


def _equity(upper: Axes, lower: Axes, run: MarketRun) -> None:
    currency = next(iter(run.spec.cash))
    upper.set_title(f"Equity, {currency}")
    lower.set_title("Drawdown, % of the highest equity so far")
    frame = run.equity
    if not len(frame):
        _say(upper, "equity was not kept: keep_equity is off")
        _say(lower, "")
        return
    equity = frame["equity"].to_numpy()
    highest = np.maximum.accumulate(equity)
    fall = np.divide(equity - highest, highest, out=np.zeros(len(equity)), where=highest > 0)
    when, shown, fallen = thin(frame["ts"].to_numpy(), equity, 100 * fall)
    upper.plot(_times(when), shown, color=_LINE, linewidth=1.3)
    upper.tick_params(labelbottom=False)
    lower.fill_between(_times(when), fallen, 0, color=_FALL, alpha=0.35, linewidth=0.8)
    _plain(upper)
    _dates(lower)


def _fills(axes: Axes, run: MarketRun) -> None:
    number = _most_traded(run)
    name, others = run.events.instruments[number].id, len(run.events.instruments) - 1
    more = f" ({counted(others, 'more instrument')} not drawn)" if others else ""
    axes.set_title(f"Fills on the price of {name}{more}")
    ts, price, what = _prices(run, number)
    fills = run.fills.filter(run.fills["instrument"] == name)
    if not len(ts) and not len(fills):
        _say(axes, "no price and no fill")
        return
    if len(ts):
        when, shown = thin(ts, price)
        axes.plot(_times(when), shown, color=_LINE, linewidth=0.9, label=what, alpha=0.75)
    size, alpha = (34, 0.95) if len(fills) <= _MANY else (16, 0.7)
    for side, mark, colour in (("buy", "^", _BUY), ("sell", "v", _SELL)):
        own = fills.filter(fills["side"] == side)
        place, level = _times(own["ts"].to_numpy()), own["price"].to_numpy()
        label = counted(len(own), f"{side} fill", ",")
        axes.scatter(place, level, s=size, marker=mark, color=colour, alpha=alpha, linewidths=0, label=label, zorder=3)
    axes.legend(loc="best", frameon=True, framealpha=0.85, edgecolor="none", ncols=3, fontsize=8.5)
    _plain(axes)
    _dates(axes)


def _costs(axes: Axes, run: MarketRun) -> None:
    parts = [
        (f"{kind} {currency}" if len(run.spec.cash) > 1 else kind, row[kind])
        for currency, row in costs_by_currency(run).items()
        for kind in ("fees", "slippage", "funding")
    ]
    axes.set_title(f"Costs by kind{'' if len(run.spec.cash) > 1 else ', ' + next(iter(run.spec.cash))}")
    if not any(value for _, value in parts):
        _say(axes, "nothing was paid")
        return
    parts.reverse()
    values = [value for _, value in parts]
    colours = [_LINE if value >= 0 else _BUY for value in values]
    drawn = axes.barh([name for name, _ in parts], values, color=colours, height=0.55)
    axes.bar_label(drawn, labels=[f"{value:,.2f}" for value in values], padding=4, fontsize=8.5, color=_MUTED)
    axes.margins(x=0.22)
    axes.axvline(0, color="#c3c9d1", linewidth=0.8)
    axes.grid(visible=False, axis="y")
    _plain(axes, "x")
    axes.locator_params(axis="x", nbins=4)


def _delays(axes: Axes, run: MarketRun) -> None:
    accepted = run.messages.filter(run.messages["event"] == "accepted")
    delays = (accepted["ts"] - accepted["number_b"]).to_numpy() / 1e6
    axes.set_title("Delay of orders to the venue, ms")
    if not len(delays):
        _say(axes, "no order was accepted")
        return
    if delays.min() == delays.max():
        _say(axes, f"{counted(len(delays), 'order', ',')}, each {delays[0]:g} ms")
        return
    axes.hist(delays, bins=min(40, max(8, len(delays) // 8)), color=_LINE, alpha=0.8, edgecolor="white", linewidth=0.4)
    for share, style in ((50, "-"), (99, "--")):
        level = float(np.percentile(delays, share))
        name = "median" if share == 50 else "99 %"
        axes.axvline(level, color=_FALL, linewidth=1.1, linestyle=style, label=f"{name} {level:.3g}")
    axes.legend(frameon=False, fontsize=8.5)
    axes.set_ylabel("orders")
    axes.grid(visible=False, axis="x")


def thin(ts: Ints, *series: Floats) -> list[NDArray[Any]]:
    """Return ts and each series (n,) at about 3,000 points at most; extremes of the first series stay."""
    if len(ts) <= 2 * _POINTS:
        return [ts, *series]
    edges = np.linspace(0, len(ts), _POINTS + 1).astype(np.int64)
    kept = {0, len(ts) - 1}
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        for values in series:
            kept |= {low + int(np.argmin(values[low:high])), low + int(np.argmax(values[low:high]))}
    index = np.array(sorted(kept), dtype=np.int64)
    return [ts[index], *(values[index] for values in series)]


def _most_traded(run: MarketRun) -> int:
    return int(np.argmax(run.positions["traded"].to_numpy()))


def _prices(run: MarketRun, number: int) -> tuple[Ints, Floats, str]:
    """Return when an instrument had which price, and what that price is: closes, middles of quotes, or trades."""
    events = run.events
    done = slice(0, min(run.telemetry["rows"], len(events)))
    own = np.ones(done.stop, dtype=np.bool_) if events.instrument is None else events.instrument[done] == number
    kind, tick = events.kind[done], float(events.price_quanta[number])
    bars, quotes = own & (kind == at.BAR), own & (kind == at.QUOTE)
    if bars.any() and events.c is not None:
        return events.ts[done][bars], np.asarray(events.c[done][bars] * tick), "close"
    if quotes.any() and events.a is not None:
        bid, ask = events.price[done][quotes], events.a[done][quotes]
        both = (bid != at.NONE) & (ask != at.NONE)
        return events.ts[done][quotes][both], np.asarray((bid[both] + ask[both]) * (tick / 2)), "middle of the quotes"
    trades = own & (((kind >= at.TRADE) & (kind <= at.TRADE_SELL)) | (kind == at.EXECUTE))
    return events.ts[done][trades], np.asarray(events.price[done][trades] * tick), "trades"


def _times(ts: NDArray[Any]) -> NDArray[np.datetime64]:
    return np.asarray(ts, dtype=np.int64).astype("datetime64[ns]")


def _dates(axes: Axes) -> None:
    from matplotlib import dates

    tools: Any = dates  # its classes have no types
    places = tools.AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(places)
    axes.xaxis.set_major_formatter(tools.ConciseDateFormatter(places))
    axes.margins(x=0.01)


def _plain(axes: Axes, axis: str = "y") -> None:
    """Write numbers out, all with the same decimals, without an offset or a power of ten."""
    from matplotlib.ticker import FuncFormatter

    own = axes.yaxis if axis == "y" else axes.xaxis

    def words(value: float, _place: int | None) -> str:
        ticks = np.asarray(own.get_majorticklocs(), dtype=np.float64)
        near = 1e-6 * float(np.ptp(ticks) if len(ticks) > 1 else 1.0)
        decimals = next((count for count in range(8) if np.allclose(ticks, ticks.round(count), rtol=0, atol=near)), 8)
        return f"{value:,.{decimals}f}"

    own.set_major_formatter(FuncFormatter(words))


def _say(axes: Axes, words: str) -> None:
    axes.set_axis_off()
    axes.text(0.0, 0.5, words, transform=axes.transAxes, color=_MUTED, fontsize=9.5, va="center")
