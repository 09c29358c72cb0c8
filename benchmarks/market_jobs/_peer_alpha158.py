"""qlib's own Alpha158 of daily bars, in the peers' own environment: as a job of `_peer.py`, and from file to file.

PYTHON _peer_alpha158.py BARS.parquet OUT.parquet     (needs pyqlib, which brings pandas and pyarrow)

BARS has `instrument`, `open`, `high`, `low`, `close`, `volume`, sorted by instrument and time; OUT has `instrument` and
the 158 columns, in qlib's order and by its names in lower case, for the same rows. Rows are taken to follow each other:
no dates are read. qlib's column `vwap` is the typical price, (high + low + close) / 3.
"""

import logging
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

BAR = ("open", "high", "low", "close", "volume")


def provide(folder, blocks):
    """Write the folder of binary files that qlib reads: name to (bars, rows) float64 in the order of `BAR`."""
    first, most = np.datetime64("2000-01-03"), max(rows.shape[1] for rows in blocks.values())
    days = [str(each) for each in np.busday_offset(first, np.arange(most))]
    for part in ("calendars", "instruments"):
        (folder / part).mkdir(parents=True)
    (folder / "calendars" / "day.txt").write_text("\n".join(days) + "\n")
    spans = [f"{name}\t{days[0]}\t{days[rows.shape[1] - 1]}\n" for name, rows in blocks.items()]
    (folder / "instruments" / "all.txt").write_text("".join(spans))
    for name, rows in blocks.items():
        place = folder / "features" / name.lower()
        place.mkdir(parents=True)
        for field, values in (*zip(BAR, rows), ("vwap", rows[1:4].mean(axis=0)), ("factor", np.ones(rows.shape[1]))):
            np.append(0.0, values).astype("<f4").tofile(place / f"{field}.day.bin")
    return days


def ready(folder, blocks):
    """Return a function that computes the frame of the 158 columns, indexed by time and instrument, from the disk."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    import qlib
    from qlib.contrib.data.handler import Alpha158
    from qlib.data.cache import H

    days = provide(folder, blocks)
    where = {"provider_uri": str(folder), "region": "us"}
    qlib.init(**where, kernels=1, expression_cache=None, dataset_cache=None)
    span = {"start_time": days[0], "end_time": days[-1], "fit_start_time": days[0], "fit_end_time": days[-1]}

    def run():
        H.clear()
        return Alpha158(instruments="all", learn_processors=[], **span).fetch(col_set="feature")

    return run


def values(frame, names):
    """Return the rows of the instruments one after another, (n, 158) float64."""
    ordered = frame.sort_index(level=["instrument", "datetime"])
    found = ordered.index.get_level_values("instrument")
    return np.concatenate([ordered[found == name].to_numpy(np.float64) for name in names])


def alpha158_job(arrays, folder):
    """Alpha158 in one process; how its columns agree with `karat`, (158, rows) float32."""
    bars, karat = arrays["bars"], arrays["karat"]  # (instruments, 5, days)
    blocks = {f"S{k:04d}": rows for k, rows in enumerate(bars)}
    run = ready(folder, blocks)
    order = [str(name) for name in arrays["names"]]
    late = np.tile(np.arange(bars.shape[2]) >= int(arrays["after"]), len(bars))

    def figures(frame):
        made = values(frame, list(blocks))
        shares = [
            np.isclose(karat[order.index(name.lower())][late], made[late, k], rtol=2e-3, atol=2e-4, equal_nan=True)
            for k, name in enumerate(frame.columns)
        ]
        return {"columns": len(shares), "least_agreement": float(min(each.mean() for each in shares))}

    return run, figures


def main():
    """Write the columns of the bars in a file."""
    import pandas as pd

    source, target = sys.argv[1:]
    bars = pd.read_parquet(source)
    names = list(dict.fromkeys(bars["instrument"]))
    rows = {name: bars.loc[bars["instrument"] == name, list(BAR)].to_numpy(np.float64).T for name in names}
    blocks = {f"S{k:04d}": rows[name] for k, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as folder:
        frame = ready(Path(folder), blocks)()
    made = pd.DataFrame(values(frame, list(blocks)), columns=[str(name).lower() for name in frame.columns])
    made.insert(0, "instrument", np.repeat(names, [rows[name].shape[1] for name in names]))
    made.to_parquet(target)


if __name__ == "__main__":
    main()
