"""Writes `alpha158.npz`: made-up daily bars, and what qlib itself gives for them.

    KARAT_PEERS=PYTHON python tests/golden/features/make_alpha158.py

PYTHON has pyqlib. The bars are single precision, because qlib's files are: both sides read the same numbers.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

OUT = Path(__file__).with_name("alpha158.npz")
PEER = Path(__file__).parents[3] / "benchmarks" / "market_jobs" / "_peer_alpha158.py"
BAR = ("open", "high", "low", "close", "volume")
ROWS, AFTER = 300, 100  # rows an instrument; those before the first that is compared


def walk(seed: int, price: float, sigma: float, tick: float, lot: float) -> dict[str, np.ndarray]:
    """Return bars of a random walk of four steps a day, prices in ticks and volumes in lots."""
    rng = np.random.Generator(np.random.PCG64(seed))
    steps = price * np.exp(np.cumsum(rng.normal(0, sigma / 2, ROWS * 4))).reshape(ROWS, 4)
    steps = np.round(steps / tick) * tick
    volume = np.round(rng.lognormal(8, 0.7, ROWS) / lot) * lot
    return dict(zip(BAR, (steps[:, 0], steps.max(1), steps.min(1), steps[:, 3], volume), strict=True))


def thin() -> dict[str, np.ndarray]:
    """Return bars of a share below a dollar: days without a trade, days of one price, and 70 days at one price."""
    made = walk(3, 0.6, 0.03, 0.01, 100.0)
    row = np.arange(ROWS)
    idle, flat, one = row % 13 == 5, (row >= 150) & (row < 220), row % 7 == 3
    for name in BAR[:4]:
        made[name] = np.where(flat, 0.6, np.where(one, made["close"], made[name]))
    made["volume"] = np.where(idle | ((row >= 240) & (row < 247)), 0.0, made["volume"])
    return made


def bars() -> pl.DataFrame:
    """Return the bars: a plain walk, one with ties, a thin one and a dear one."""
    instruments = {
        "WALK": walk(1, 100.0, 0.018, 1e-6, 1.0),
        "TIES": walk(2, 40.0, 0.02, 0.5, 1000.0),
        "THIN": thin(),
        "DEAR": walk(4, 200_000.0, 0.01, 1.0, 1.0),
    }
    single = [
        pl.DataFrame({name: values.astype(np.float32) for name, values in made.items()}).with_columns(
            pl.lit(instrument).alias("instrument")
        )
        for instrument, made in instruments.items()
    ]
    return pl.concat(single).select("instrument", *BAR)


def by_qlib(frame: pl.DataFrame, python: str) -> pl.DataFrame:
    """Return qlib's 158 columns of the bars' rows, Float64, by their names in lower case."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "bars.parquet", Path(folder) / "made.parquet"
        frame.select("instrument", *BAR).write_parquet(source)
        command = [python, str(PEER), str(source), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        return pl.read_parquet(target).drop("instrument")


def rounded(values: np.ndarray) -> np.ndarray:
    """Return single precision with 12 bits of fraction, at most 1.3e-4 off: small files, far below the tolerance."""
    fraction, exponent = np.frexp(values)
    return np.ldexp(np.round(fraction * 4096) / 4096, exponent).astype(np.float32)


def golden(python: str) -> dict[str, np.ndarray]:
    """Return instruments, columns, `bars` (instruments, 5, rows) and `made` (columns, instruments, rows compared)."""
    frame = bars()
    made = by_qlib(frame, python)
    names = frame["instrument"].unique(maintain_order=True).to_numpy().astype(np.str_)
    values = frame.select(BAR).to_numpy().reshape(len(names), ROWS, 5).swapaxes(1, 2)
    columns = made.to_numpy().T.reshape(len(made.columns), len(names), ROWS)[:, :, AFTER:]
    return {"instruments": names, "columns": np.array(made.columns), "bars": values, "made": rounded(columns)}


if __name__ == "__main__":
    np.savez_compressed(OUT, **golden(os.environ["KARAT_PEERS"]))
