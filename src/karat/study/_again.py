"""`python -m karat.study._again TASK`: compute one cell in this fresh interpreter and print its hash as JSON."""

from __future__ import annotations

import json
import os
import sys

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def main(text: str) -> None:
    """Run the task given as JSON."""
    from karat.study._cells import Cell, Task, run_cell
    from karat.study._config import SplitConfig

    values = json.loads(text)
    cell = Cell(**values.pop("cell"))
    splits = SplitConfig.model_validate(values.pop("splits"))
    horizons, plugins = tuple(values.pop("horizons")), tuple(values.pop("plugins"))
    result = run_cell(Task(cell=cell, splits=splits, horizons=horizons, plugins=plugins, **values))
    sys.stdout.write(json.dumps({"forecast_hash": result.forecast_hash}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
