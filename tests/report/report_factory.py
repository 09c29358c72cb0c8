"""A plausible finished run, fabricated from one seed: what the tests of the report render."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from karat.core import NS_PER_DAY, generator, iso_date, to_ns
from karat.data import LEVELS
from karat.evidence import PRINTED, Check, Gate, Verdict
from karat.report import (
    AttributionRow,
    Calibration,
    Costs,
    Curve,
    Equity,
    Estimate,
    Fan,
    FeatureRow,
    FindingRow,
    FoldRow,
    OpeningRow,
    PeriodRow,
    ReliabilityRow,
    RiskRow,
    ScoreRow,
    SeedRow,
    SourceRow,
    Story,
    TrialRow,
    WindowRow,
)

N = 2400
SELECTED, BASELINE = "patch_transformer", "garch_t"
MODELS = {
    SELECTED: ("selected", 41.02),
    "lightgbm": ("candidate", 41.31),
    "linear_quantile": ("candidate", 41.24),
    "logistic": ("candidate", 41.9),
    BASELINE: ("baseline", 41.27),
    "ewma": ("baseline", 41.45),
    "last_sign": ("baseline", 41.61),
    "buy_and_hold": ("baseline", 41.49),
    "climatology": ("baseline", 43.8),
}


REASONS = {
    "accepted": "Skill (p = 0.004) and money (p < 0.001) hold over all 7 trials, and no check broke it.",
    "rejected": "The net excess Sharpe is below 0.11 with 95 % confidence; 0.5 was asked for.",
    "indistinguishable": "The gain in money (p = 0.134) is not beyond what 7 trials would show by chance.",
    "invalid": "Gate 0 failed: future invariance.",
}


def make_verdict(outcome: str = "indistinguishable", **changes: Any) -> Verdict:
    """Return a verdict with four gates, the second failed."""
    fine = outcome == "accepted"
    gates = (
        Gate(
            0,
            "valid",
            "Could anything have leaked, is the run reproducible, is there enough data?",
            outcome != "invalid",
            None,
            None,
            "every guard",
            "Every guard held.",
            (
                Check("future invariance", 0.0, "0 changed values", True, "20 features, 5 cuts"),
                Check("purging", 0.0, "0 overlapping label spans", True, "6 folds"),
                Check("shuffled labels", 0.013, "95 % interval within 0.1 of 0", True, "1000 shuffles"),
                Check("repeated cell", "equal", "equal hashes", True, "in a fresh process"),
                Check("test dates", 2400.0, "at least 500", True),
                Check("adversarial validation", None, PRINTED, None, "comes later"),
            ),
        ),
        Gate(
            1,
            "skill",
            "Does the forecaster know something about location that the best honest baseline does not?",
            True,
            2.914,
            0.0041,
            "p <= 0.0038",
            "Clark–West against garch_t, adjusted over 7 trials.",
            (
                Check("Diebold–Mariano (HLN)", 1.42, PRINTED, None, "p = 0.078"),
                Check("in the model confidence set", "yes", PRINTED, None),
            ),
        ),
        Gate(
            2,
            "money",
            "Is it worth more after costs than the best baseline through the same policy at the same risk?",
            fine,
            1.106,
            0.0004 if fine else 0.134,
            "p <= 0.0038",
            "Net excess returns over garch_t, adjusted over 7 trials.",
            (
                Check("deflated Sharpe", 0.71, PRINTED, None),
                Check("probability of backtest overfitting", 0.31, PRINTED, None, "CSCV, 16 blocks"),
            ),
        ),
        Gate(
            3,
            "sturdy",
            "Does it survive being hurt?",
            True,
            None,
            None,
            "every check",
            "It held every check.",
            (
                Check("net Sharpe at twice the costs", 0.21, "> 0", True),
                Check("later by one bar", None, "> 0", None, "gated from 5 bars up"),
                Check("sub-periods above 0", 8.0, "at least 7 of 10", True),
                Check("median seed", 0.33, "> 0", True),
            ),
        ),
    )
    values = {
        "outcome": outcome,
        "reason": REASONS[outcome],
        "gates": gates,
        "provisional": fine,
        "trials": 5,
        "family_trials": 7,
        "openings": 2,
        "alpha": 0.05,
        "alpha_spent": 0.0038,
        "net_excess_sharpe": 0.31,
        "net_excess_interval": (-0.22, 0.86),
        "detectable_sharpe": 0.82,
    }
    return Verdict(**{**values, **changes})  # type: ignore[arg-type]  # a fixture's plain map


def make_story(outcome: str = "indistinguishable", *, instruments: int = 1, **changes: Any) -> Story:
    """Return a full story; `changes` replace fields."""
    rng = generator(7, "story")
    ts = to_ns("2009-06-18") + np.arange(N, dtype=np.int64) * (7 * NS_PER_DAY // 5)
    names = ("^IXIC",) if instruments == 1 else tuple(f"STOCK{k:02d}" for k in range(instruments))
    parts: dict[str, Any] = {
        "title": "quickstart",
        "run_id": "3f9a1c0be27d4a11",
        "created": "2030-01-02T03:04:05.678901234Z",
        "description": "Nasdaq Composite, daily, 1999 to 2018: is there an edge after costs?",
        "verdict": make_verdict(outcome),
        "config": _config(),
        "sources": (_source(names),),
        "environment": _environment(),
        "command": "karat reproduce 3f9a1c0be27d4a11",
        "selected": SELECTED,
        "baseline": BASELINE,
        "primary_horizon": "1d",
        "warnings": ("History before this ledger is unknown: trials made elsewhere are not counted.",),
        "findings": (
            FindingRow("panel", "jump above 12 sigma", "warning", 2, "check the dates against another source"),
        ),
        "features": (
            *(FeatureRow(f"a20_{k:02d}", "momentum", "close / sma(close, 20) - 1", 20) for k in range(18)),
            FeatureRow("obv_slope", "volume", absent="the panel has no volume"),
        ),
        "folds": _folds(),
        "scores": tuple(_scores(names, rng)),
        "fan": _fan(names[0], ts[-120:], rng),
        "calibration": _calibration(rng),
        "trials": _trials(),
        "openings": (
            OpeningRow(1, "9b1e77d0c2aa4410", "quickstart", 0.0152),
            OpeningRow(2, "3f9a1c0be27d4a11", "quickstart", 0.0038, current=True),
        ),
        "ledger": {"size": 214, "root": "5d8b" * 16},
    }
    return Story(**{**parts, **_money(names, ts, rng), **changes})


def bare_story(outcome: str = "invalid") -> Story:
    """Return a story of a run that ended before anything was tested."""
    full = make_story()
    return Story(
        title="bare",
        run_id="r1",
        created="",
        verdict=make_verdict(outcome, gates=()),
        config={"name": "bare"},
        sources=full.sources,
        environment={"versions": {}},
        command="karat reproduce r1",
    )


def replace(story: Story, **changes: Any) -> Story:
    """Return the story with other fields."""
    return dataclasses.replace(story, **changes)


def _money(names: tuple[str, ...], ts: Any, rng: np.random.Generator) -> dict[str, Any]:
    shared = rng.standard_t(5, N) * 0.005
    net = {
        SELECTED: 0.00022 + 0.8 * shared + 0.003 * rng.standard_normal(N),
        BASELINE: 0.00012 + shared,
        "buy_and_hold": 0.0003 + 1.8 * shared,
    }
    equity = {name: 1e6 * np.cumprod(1 + values) for name, values in net.items()}
    roles = {SELECTED: "selected", BASELINE: "baseline", "buy_and_hold": "reference"}
    wide = np.exp(0.012 * 1.4 * np.sqrt(np.arange(1, N + 1)))
    middle = 1e6 * np.exp(0.0002 * np.arange(1, N + 1))
    gains = float(equity[SELECTED][-1] - 1e6)
    items = {"proportional": 61_204.5, "fixed": 0.0}
    share = rng.dirichlet(np.full(len(names), 0.6)) * (gains + 61_204.5)
    costs = np.full(len(names), 61_204.5 / len(names))
    return {
        "equity": Equity(
            ts,
            tuple(Curve(name, roles[name], values) for name, values in equity.items()),  # type: ignore[arg-type]
            middle / wide,
            middle * wide,
        ),
        "risk": tuple(
            RiskRow(
                name,
                roles[name],
                {  # type: ignore[arg-type]  # the three roles above
                    "roi": Estimate(float(equity[name][-1] / 1e6 - 1), -0.11, 1.32),
                    "volatility": Estimate(float(np.std(values) * 252**0.5), 0.081, 0.097),
                    "sharpe": Estimate(float(np.mean(values) / np.std(values) * 252**0.5), -0.13, 1.02),
                    "max_drawdown": Estimate(0.213, 0.141, 0.342),
                    "turnover": Estimate(18.4),
                },
            )
            for name, values in net.items()
        ),
        "costs": Costs(gains + 61_204.5, items, gains),
        "attribution": tuple(AttributionRow(*row) for row in zip(names, share, costs, share - costs)),
        "windows": (
            WindowRow("worst", "worst 21 bars", "2011-07-22", "2011-08-19", -0.094, -0.121),
            WindowRow("best", "best 21 bars", "2010-09-01", "2010-09-30", 0.081, 0.067),
            WindowRow("drawdown", "deepest drawdown", "2015-07-20", "2016-02-11", -0.213, -0.244),
        ),
        "periods": tuple(
            PeriodRow(
                iso_date(int(ts[part[0]])),
                iso_date(int(ts[part[-1]])),
                float(net[SELECTED][part].mean() / net[SELECTED][part].std() * 252**0.5),
            )
            for part in np.array_split(np.arange(N), 10)
        ),
        "seeds": tuple(SeedRow(SELECTED, 42 + k, 0.0041 + 1e-6 * k, 0.2 + 0.11 * k) for k in range(5)),
    }


def _scores(names: tuple[str, ...], rng: np.random.Generator) -> list[ScoreRow]:
    rows = []
    scopes = ("pooled",) if len(names) == 1 else ("pooled", *names)
    for horizon, scale in (("1d", 1.0), ("5d", 2.2)):
        for scope in scopes:
            for model, (role, pinball) in MODELS.items():
                values = {
                    "pinball": pinball * 1e-4 * scale,
                    "crps": pinball * 1.03e-4 * scale,
                    "log_loss": pinball / 25,
                    "brier": pinball / 60,
                }
                cells = {}
                for key, value in values.items():
                    value *= 1 + 0.002 * rng.standard_normal()
                    cells[key] = Estimate(value, value * 0.96, value * 1.045) if scope == "pooled" else Estimate(value)
                rows.append(ScoreRow(model=model, role=role, horizon=horizon, n=N, scope=scope, **cells))  # type: ignore[arg-type]
    return rows


def _fan(name: str, ts: Any, rng: np.random.Generator) -> Fan:
    from scipy.stats import norm

    sigma = 0.011 * np.exp(np.cumsum(0.06 * rng.standard_normal(len(ts))))
    quantiles = 0.0006 + sigma[:, None] * norm.ppf(LEVELS)[None, :]
    return Fan(SELECTED, name, "1d", ts, sigma * rng.standard_t(4, len(ts)) * 0.9, quantiles)


def _calibration(rng: np.random.Generator) -> Calibration:
    pit = rng.beta(1.04, 1.0, N)
    coverage = []
    for level in LEVELS:
        hit = float((pit <= level).mean())
        spread = 1.96 * (hit * (1 - hit) / N) ** 0.5
        coverage.append(ReliabilityRow(float(level), hit, hit - spread, hit + spread, N))
    bins = [
        ReliabilityRow(p, p * 0.93 + 0.01, p * 0.9, p * 0.97 + 0.02, 400) for p in (0.03, 0.08, 0.16, 0.3, 0.52, 0.71)
    ]
    return Calibration(SELECTED, pit, tuple(coverage), tuple(bins))


def _folds() -> tuple[FoldRow, ...]:
    rows = []
    for k in range(6):
        role = "select" if k < 2 else "test"
        year = 2005 + 2 * k
        test = (f"{year + 1}-07-01", f"{year + 3}-06-28") if role == "test" else ("", "")
        rows.append(
            FoldRow(
                k,
                role,
                ("1999-01-04", f"{year}-01-03"),
                252 * (year - 1999),
                (f"{year}-01-05", f"{year + 1}-06-30"),
                378,
                test,
                500 if role == "test" else 0,
            )
        )
    return tuple(rows)


def _trials() -> tuple[TrialRow, ...]:
    names = [
        SELECTED,
        "lightgbm",
        "linear_quantile",
        "logistic",
        "lightgbm(num_leaves=31)",
        "lightgbm(num_leaves=63)",
        "old_idea",
    ]
    rows = []
    for k, name in enumerate(names):
        run = "3f9a1c0be27d4a11" if k < 5 else "9b1e77d0c2aa4410"
        p = {"skill_p": 0.0041, "money_p": 0.134} if k == 0 else {}
        rows.append(TrialRow(f"{k}a7c9e" * 8, name, "quickstart", run, "1d", stored=k < 6, selected=k == 0, **p))
    return tuple(rows)


def _source(names: tuple[str, ...]) -> SourceRow:
    return SourceRow(
        name="bundled",
        origin="arch.data.nasdaq, from Yahoo Finance",
        licence="NCSA; prices for research",
        content_hash="c0ffee" * 10 + "abcd",
        rows=5031,
        instruments=names,
        first="1999-01-04",
        last="2018-12-31",
        calendar="XNYS",
        prices="adjusted",
        preprocessing=("open, high, low scaled to the adjusted close",),
    )


def _config() -> dict[str, Any]:
    return {
        "name": "quickstart",
        "data": {"source": "bundled", "params": {"dataset": "nasdaq"}, "validation": "strict"},
        "features": ["a20"],
        "horizons": ["1d", "5d"],
        "models": [{"name": SELECTED, "params": {}}, {"name": "lightgbm", "params": {"num_leaves": 31}}],
        "verdict": {"alpha": 0.05, "min_sharpe": 0.5, "draws": 2000},
        "golden": False,
        "plugins": [],
        "start": None,
    }


def _environment() -> dict[str, Any]:
    return {
        "versions": {"karat": "0.1.0", "numpy": "2.4.6", "python": "3.13.5"},
        "sources": "77ab" * 16,
        "git": {"commit": "0f1e2d3c4b5a", "dirty": False},
        "hardware": {"machine": "x86_64", "cores": 2, "memory_gib": 7.8, "gpu": "none"},
    }
