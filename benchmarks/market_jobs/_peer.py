"""One job in the peers' own environment: reads arrays, says its name and version, runs once for every line it gets.

PYTHON _peer.py JOB FOLDER     (started by `market.py --peers`; needs vectorbt with its compiled extra, and hftbacktest;
`regimes.py --peers` needs hmmlearn, `features.py --peers` pyqlib)
"""

import gc
import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
FEE, SLIP = 0.001, 0.0005


def bars_job(arrays, next_open):
    """SMA 10 over 50, 10 units; at the next open the signals are moved by one bar."""
    import pandas as pd
    import vectorbt as vbt

    index = pd.DatetimeIndex(arrays["ts"].astype("datetime64[ns]"))
    close, opens = pd.Series(arrays["close"], index=index), pd.Series(arrays["open"], index=index)

    def run():
        fast, slow = vbt.MA.run(close, 10), vbt.MA.run(close, 50)
        entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
        terms = {"size": 10, "fees": FEE, "slippage": SLIP, "init_cash": 1e6, "freq": "1min"}
        if next_open:
            entries, exits = entries.vbt.signals.fshift(1), exits.vbt.signals.fshift(1)
            terms["price"] = opens
        portfolio = vbt.Portfolio.from_signals(close, entries, exits, **terms)
        return portfolio, portfolio.value().iloc[-1]

    return run, lambda made: {"fills": int(made[0].orders.count()), "final": float(made[1])}


def sweep_job(arrays):
    """All pairs of windows, all the cash in or out; the final value of each."""
    import pandas as pd
    import vectorbt as vbt

    close = pd.Series(arrays["close"], index=pd.DatetimeIndex(arrays["ts"].astype("datetime64[ns]")))
    fasts, slows = arrays["pairs"][:, 0].tolist(), arrays["pairs"][:, 1].tolist()

    def run():
        fast, slow = vbt.MA.run(close, fasts, short_name="f"), vbt.MA.run(close, slows, short_name="s")
        terms = {"fees": FEE, "slippage": SLIP, "init_cash": 1e6, "freq": "1min"}
        entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
        portfolio = vbt.Portfolio.from_signals(close, entries, exits, **terms)
        return portfolio, portfolio.final_value()

    return run, lambda made: {"fills": int(made[0].orders.count().sum()), "final_mean": float(made[1].mean())}


def rebalance_job(arrays):
    """Target weights of one account with shared cash, sales first."""
    import pandas as pd
    import vectorbt as vbt

    index = pd.DatetimeIndex(arrays["ts"].astype("datetime64[ns]"))
    close, weights = pd.DataFrame(arrays["close"], index=index), pd.DataFrame(arrays["weights"], index=index)

    def run():
        terms = {"cash_sharing": True, "group_by": True, "call_seq": "auto", "freq": "1D"}
        portfolio = vbt.Portfolio.from_orders(
            close, size=weights, size_type="targetpercent", fees=FEE, init_cash=1e8, **terms
        )
        return portfolio, portfolio.value()

    return run, lambda made: {"fills": int(made[0].orders.count()), "final": float(made[1].iloc[-1])}


def level2_job(arrays):
    """A market maker on level-2 data, see `_peer_level2.py`."""
    import _peer_level2

    return _peer_level2.level2_job(arrays)


def callback_job(arrays):
    """backtesting.py: `next` called for every bar, averages computed beforehand, market orders at the next open."""
    import backtesting
    import pandas as pd
    from backtesting.lib import crossover

    opens, close = arrays["open"], arrays["close"]
    index = pd.DatetimeIndex(arrays["ts"].astype("datetime64[ns]"))
    frame = pd.DataFrame(
        {"Open": opens, "High": np.maximum(opens, close), "Low": np.minimum(opens, close)}, index=index
    )
    frame["Close"], frame["Volume"] = close, 1.0

    def mean(values, width):
        return pd.Series(values).rolling(width).mean()

    class Crossing(backtesting.Strategy):
        def init(self):
            self.fast, self.slow = (self.I(mean, self.data.Close, width) for width in (10, 50))

        def next(self):
            if crossover(self.fast, self.slow):
                self.buy(size=10)
            elif crossover(self.slow, self.fast):
                self.position.close()

    tester = backtesting.Backtest(frame, Crossing, cash=1e6, commission=0.001)
    return tester.run, lambda stats: {"fills": 2 * int(stats["# Trades"]), "final": float(stats["Equity Final [$]"])}


def hmm_job(arrays):
    """Gaussian hidden Markov model, diagonal, scaling mode, from the start that is given."""
    from hmmlearn.hmm import GaussianHMM

    x, iterations = arrays["x"], int(arrays["iterations"])

    def run():
        terms = {"min_covar": 1e-6, "covars_prior": 0, "covars_weight": 0, "tol": -1e9, "init_params": ""}
        model = GaussianHMM(len(arrays["start"]), n_iter=iterations, implementation="scaling", **terms)
        model.startprob_, model.transmat_ = arrays["start"], arrays["transition"]
        model.means_, model.covars_ = arrays["mean"], arrays["variance"]
        return model.fit(x)

    return run, lambda made: {"log_likelihood": float(made.monitor_.history[-1]), "iterations": made.monitor_.iter}


def alpha158_job(arrays, folder):
    """qlib's Alpha158, see `_peer_alpha158.py`."""
    import _peer_alpha158

    return _peer_alpha158.alpha158_job(arrays, folder / "qlib")


def main():
    """Serve one job: a line in, one timed run, a line out."""
    job, folder = sys.argv[1], Path(sys.argv[2])
    arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    made = {
        "bars": lambda: bars_job(arrays, True),
        "bars_same_close": lambda: bars_job(arrays, False),
        "sweep": lambda: sweep_job(arrays),
        "rebalance": lambda: rebalance_job(arrays),
        "callback": lambda: callback_job(arrays),
        "level2_1s": lambda: level2_job(arrays),
        "level2_100ms": lambda: level2_job(arrays),
        "hmm": lambda: hmm_job(arrays),
        "alpha158": lambda: alpha158_job(arrays, folder),
    }[job]()
    run, figures = made
    tool = {
        "level2_1s": "hftbacktest",
        "level2_100ms": "hftbacktest",
        "callback": "backtesting",
        "hmm": "hmmlearn",
        "alpha158": "pyqlib",
    }.get(job, "vectorbt")
    name = {"vectorbt": "vectorbt[rust]"}.get(tool, tool)
    print(json.dumps({"name": f"{name} {version(tool)}"}), flush=True)
    for _ in sys.stdin:
        run()  # as for the other sides: timed is the second of two runs
        gc.collect()
        started = time.perf_counter()
        result = run()
        answer = {"seconds": time.perf_counter() - started, **figures(result)}
        del result
        gc.collect()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
