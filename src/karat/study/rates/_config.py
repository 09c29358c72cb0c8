"""The file of a calibration: which worlds are made, how many settings are searched in each, how large an edge is.

Invariants:
1. A kind's name is its identity in results; what decides a world is everything in its kind but the name.
2. Every kind searches ten settings or more, unless it is a whole study.
3. `identity()` leaves out what cannot change a world: names, descriptions, how many worlds, the executor.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from karat.core import Config
from karat.study._config import NAME, ExecutorConfig

FEWEST_SETTINGS = 10
Name = Annotated[str, Field(pattern=NAME)]


class DaysConfig(Config):
    """Lengths in days: what baselines and learners are fitted on, what selects, what judges."""

    train: int = Field(default=504, ge=250)
    valid: int = Field(default=756, ge=250)
    test: int = Field(default=2520, ge=20)


class JudgeConfig(Config):
    """What the verdict is given; the defaults are those of a study."""

    alpha: float = Field(default=0.05, gt=0, le=0.2)
    min_sharpe: float = Field(default=0.5, gt=0, le=5)
    draws: int = Field(default=10_000, ge=200, le=100_000)


class NoEdge(Config):
    """Worlds in which no setting is worth having.

    world: `sign_flips`, `permutation`, `resampled`: of real returns; `garch`: simulated; `volatility`: forecasts know
    the true volatility; `costs`: forecasts know the direction and costs take exactly what it earns, `gross_sharpe`;
    `drift`: prices rise with a Sharpe ratio of `drift_sharpe`, and forecasts know it; `drift_search`: the same prices,
    and settings of any exposure, among which the search finds it. instruments, correlation: a panel, of `garch` only.
    """

    name: Name
    world: Literal["sign_flips", "permutation", "resampled", "garch", "volatility", "costs", "drift", "drift_search"]
    settings: int = Field(default=FEWEST_SETTINGS, ge=FEWEST_SETTINGS, le=1000)
    instruments: int = Field(default=1, ge=1, le=100)
    correlation: float = Field(default=0.3, ge=0, lt=1)
    gross_sharpe: float = Field(default=2.0, gt=0, le=10)
    drift_sharpe: float = Field(default=1.0, gt=0, le=5)

    @model_validator(mode="after")
    def _panels(self) -> Self:
        if self.instruments > 1 and self.world != "garch":
            raise ValueError(f"instruments: got {self.instruments}; allowed: 1, or more with world: garch")
        return self

    @property
    def edge(self) -> bool:
        """Whether accepting is right."""
        return False


class Planted(Config):
    """Worlds with an edge of known worth.

    net_sharpe: annual Sharpe ratio after costs of the forecast E[r | signal] through the policy, in the long run.
    settings, real: how many are searched and whether one of them is real or all are, nearly equal. half_life_days: of
    the signal. cost_share: costs as a share of gross profit. learned: the forecasts estimate the effect from Train
    instead of knowing it, from `signals` signals of which one counts; then net_sharpe is what they could reach.
    """

    name: Name
    net_sharpe: float = Field(gt=0, le=6)
    settings: int = Field(default=FEWEST_SETTINGS, ge=FEWEST_SETTINGS, le=1000)
    real: Literal["one", "all"] = "one"
    half_life_days: float = Field(default=1.0, ge=0.1, le=250)
    cost_share: float = Field(default=0.2, ge=0, le=0.9)
    learned: bool = False
    signals: int = Field(default=5, ge=1, le=50)

    @property
    def edge(self) -> bool:
        """Whether accepting is right."""
        return True


class Whole(Config):
    """Worlds that run a whole study, data to verdict: the study of a file on the synthetic market of each seed.

    edge: whether the file plants one. settings: candidates of the file, for the tables only.
    """

    name: Name
    study: str
    edge: bool


Kind = NoEdge | Planted | Whole


class CampaignConfig(Config):
    """An automated researcher: so many settings a study, so many studies at most, stops at the first acceptance.

    rename: every study and instrument gets a new name. learns: half the settings of a study are small changes of the
    one that did best on `Test` so far, instead of fresh ones.
    """

    name: Name
    settings: int = Field(default=FEWEST_SETTINGS, ge=1, le=100)
    studies: int = Field(default=100, ge=1, le=1000)
    rename: bool = False
    learns: bool = False


class CalibrationConfig(Config):
    """One calibration: kinds of worlds, dealt out in turn until there are `worlds` of them, and campaigns."""

    name: Name
    description: str = ""
    seed: int = Field(default=1, ge=0, lt=2**32)
    worlds: int = Field(default=100, ge=1, le=1_000_000)
    days: DaysConfig = DaysConfig()
    verdict: JudgeConfig = JudgeConfig()
    no_edge: tuple[NoEdge, ...] = ()
    planted: tuple[Planted, ...] = ()
    whole: tuple[Whole, ...] = ()
    campaigns: tuple[CampaignConfig, ...] = ()
    executor: ExecutorConfig = ExecutorConfig()

    @field_validator("campaigns")
    @classmethod
    def _campaign_names(cls, campaigns: tuple[CampaignConfig, ...]) -> tuple[CampaignConfig, ...]:
        _require_unique([item.name for item in campaigns])
        return campaigns

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.kinds and not self.campaigns:
            raise ValueError("no_edge: got no worlds at all; name one kind in no_edge, planted or whole")
        _require_unique([kind.name for kind in self.kinds])
        return self

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Every kind of world, in the order of the file."""
        return (*self.no_edge, *self.planted, *self.whole)

    def identity(self, kind: Config) -> dict[str, Any]:
        """Return what decides a world of a kind, its number apart."""
        common = {"seed": self.seed, "days": self.days.model_dump(), "verdict": self.verdict.model_dump()}
        return {**common, type(kind).__name__: kind.model_dump(exclude={"name"})}


def _require_unique(names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"name: got {', '.join(doubled)} twice; each kind needs its own name")
