"""`karat simulate`: what orders would have done in a market of events, from files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from karat._words import counted
from karat.cli._options import Debug, Json
from karat.cli._output import emit, errors, say, table
from karat.cli._place import file_to_write

if TYPE_CHECKING:
    from karat.market import MarketRun

_PLOTS = (".svg", ".png", ".pdf")


def simulate(
    events: Annotated[
        Path | None, typer.Argument(help="Bars as .csv or .parquet, or a folder written by write_events.")
    ] = None,
    orders: Annotated[Path | None, typer.Argument(help="Orders as .csv, .parquet or .jsonl.")] = None,
    profile: Annotated[
        str, typer.Option("--profile", "--simulator-profile", help="What to assume; --profiles lists them.")
    ] = "frictionless",
    terms: Annotated[
        Path | None, typer.Option(help="A YAML file over the profile: instruments, basis, bar_start, venue.")
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace", "--execution-trace-export", help="Folder for fills, messages, equity, positions and totals."
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture to draw: .svg, .png or .pdf.")] = None,
    profiles: Annotated[bool, typer.Option("--profiles", help="List the profiles and stop.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Simulate orders on bars, quotes, trades, level 2 or level 3, and itemise what they did and cost."""
    with errors(as_json=json, debug=debug):
        if profiles:
            _list(as_json=json)
            return
        _check(trace, plot)
        run = _run(events, orders, profile, terms, trace)
        facts, text = _said(run, profile)
        facts |= {"trace": _write(run, trace, facts), "plot": _draw(run, plot)}
        text += "".join(f"\n{name:<10} {facts[name]}" for name in ("trace", "plot") if facts[name])
        emit(facts, text, as_json=json)


def _check(trace: Path | None, plot: Path | None) -> None:
    """Refuse what could not be written, before anything is simulated."""
    from karat.core import InputError

    if plot is not None and plot.suffix not in _PLOTS:
        raise InputError("--plot", str(plot), allowed=f"a file that ends in {', '.join(_PLOTS)}")
    if trace is not None and trace.exists() and not trace.is_dir():
        raise InputError("--trace", str(trace), why="it is a file", fix="give a folder, or the name of a new one")


def _run(events: Path | None, orders: Path | None, profile: str, terms: Path | None, trace: Path | None) -> MarketRun:
    """Return the run; a market that stops at a faulty row leaves what came before it in the trace."""
    from karat.core import InputError, MarketStopped
    from karat.market import read_events, read_orders, read_setup
    from karat.market import simulate as trade

    for name, value in (("EVENTS", events), ("ORDERS", orders)):
        if value is None:
            raise InputError(name, None, why="it is missing", fix="karat simulate EVENTS ORDERS, or --profiles")
    setup = read_setup(profile, terms)
    say("reading the events")
    market = read_events(Path(str(events)), setup)
    intents = read_orders(Path(str(orders)), market)
    say(f"simulating {counted(len(intents), 'order', ',')} on {counted(len(market), 'row', ',')}")
    try:
        return trade(market, intents, setup.venue)
    except MarketStopped as error:
        if trace is not None:
            partial: Any = error.partial
            say(f"the market stopped; what came before is in {_write(partial, trace, _said(partial, profile)[0])}")
        raise


def _said(run: MarketRun, profile: str) -> tuple[dict[str, Any], str]:
    from karat.market import describe_run, run_facts

    return {"profile": profile, **run_facts(run)}, f"profile    {profile}\n{describe_run(run)}\n"


def _write(run: MarketRun, folder: Path | None, facts: dict[str, Any]) -> str | None:
    """Write the trace, and beside it the same facts as `--json` prints."""
    if folder is None:
        return None
    from karat.core import canonical_json

    root = run.write(folder)
    (root / "summary.json").write_text(canonical_json(facts) + "\n", encoding="utf-8")
    return str(root)


def _draw(run: MarketRun, file: Path | None) -> str | None:
    if file is None:
        return None
    from karat.market import plot_run

    metadata = {"Date": None} if file.suffix == ".svg" else None
    plot_run(run).savefig(file_to_write(file, "--plot"), dpi=150, metadata=metadata)
    return str(file)


def _list(*, as_json: bool) -> None:
    from karat.market import PROFILES

    rows = [(item.name, item.title) for item in PROFILES.values()]
    facts = {"profiles": {item.name: {"title": item.title, **item.spec.model_dump()} for item in PROFILES.values()}}
    emit(facts, table(("profile", "what it assumes"), rows), as_json=as_json)
