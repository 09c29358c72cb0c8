"""karat: market data to forecasts, a verdict on their edge, and trading under hard rules.

`karat.run("studies/quickstart.yaml")` runs a study. Importing this package loads nothing heavy.
"""

import typing

from karat._doors import on_demand as _on_demand

if typing.TYPE_CHECKING:
    from karat.study import RunResult, StudyConfig, run

__all__ = ["RunResult", "StudyConfig", "run"]
__version__ = "0.1.0"

__getattr__ = _on_demand(__name__, {"study": ("RunResult", "StudyConfig", "run")})
