"""karat: market data to forecasts, a verdict on their edge, and trading under hard rules.

`karat.run("studies/quickstart.yaml")` runs a study. Importing this package loads nothing heavy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from karat.study import RunResult, StudyConfig, run

__all__ = ["RunResult", "StudyConfig", "run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        import karat.study

        return getattr(karat.study, name)
    raise AttributeError(f"module 'karat' has no attribute {name!r}; it offers {', '.join(__all__)}")
