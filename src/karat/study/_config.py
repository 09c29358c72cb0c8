"""The study file: one YAML document, closed and frozen, every default written back to `run.json`.

Invariants:
1. Unknown keys are refused with their path and the nearest valid name; all problems are reported at once.
2. YAML is read with the safe loader; a key given twice is an error, never the last one wins.
3. `identity()` leaves out what cannot change a number: the name, the description, the executor.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import yaml
from pydantic import Field, field_validator, model_validator

from karat.core import Config, ConfigError, InputError, nearest
from karat.market import MarketSpec
from karat.portfolio import PolicySpec

Horizon = Literal["1d", "2d", "3d", "5d", "week"]
MINIMUM_GOLDEN_SEEDS = 5
Record = TypeVar("Record", bound=Config)
NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"


class DataConfig(Config):
    """Which data: a source by name with its parameters, dates, and how strictly it is checked."""

    source: str
    params: dict[str, Any] = Field(default_factory=dict)
    start: dt.date | None = None
    end: dt.date | None = None
    validation: Literal["strict", "lenient"] = "strict"
    bars: Literal["1d", "2d", "3d", "5d", "week"] = "1d"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"end: got {self.end}; allowed: a date from start on, {self.start}")
        return self


class JoinConfig(Config):
    """A second source joined as of `known_at`: its `column` becomes a column `name` of the panel."""

    source: str
    params: dict[str, Any] = Field(default_factory=dict)
    column: str = "close"
    name: str


class SplitConfig(Config):
    """Walk-forward by label span. Selection folds lie before the first test date; test folds follow each other.

    splitter: walk_forward, or a plug-in, which takes none of the other settings.
    """

    splitter: str = "walk_forward"
    test_frac: float = Field(default=0.5, gt=0, lt=1)
    test_start: dt.date | None = None
    select_folds: int = Field(default=2, ge=1, le=20)
    test_folds: int = Field(default=4, ge=1, le=50)
    valid_bars: int = Field(default=378, ge=20)
    embargo_bars: int = Field(default=1, ge=0)


class ModelConfig(Config):
    """One candidate: a registered forecaster and its parameters. `label` only names it in the report."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)
    label: str | None = None

    @property
    def title(self) -> str:
        """The name shown: the label, or the name with the parameters that were set."""
        given = ", ".join(f"{key}={value}" for key, value in sorted(self.params.items()))
        return self.label or (f"{self.name}({given})" if given else self.name)


class MapsConfig(Config):
    """How forecasts are calibrated before they are scored and traded, learned on `Valid` before `Test` opens.

    classes: the map of class probabilities. quantiles: `conformal` moves every quantile but the median to where `Valid`
    says it lies. A map that does not help on `Valid` is not used. by_regime: a map for each regime as known the day
    before, by terciles of volatility or, where the panel has a column `vix`, by its levels.
    """

    classes: Literal["none", "isotonic", "platt", "temperature"] = "none"
    quantiles: Literal["none", "conformal"] = "none"
    by_regime: Literal["none", "volatility", "vix"] = "none"

    @model_validator(mode="after")
    def _something_by_regime(self) -> Self:
        if self.by_regime != "none" and not self.used:
            raise ValueError(f"by_regime: got '{self.by_regime}'; nothing is calibrated; set classes or quantiles")
        return self

    @property
    def used(self) -> bool:
        """Whether anything is calibrated."""
        return (self.classes, self.quantiles) != ("none", "none")


class VerdictConfig(Config):
    """What is fixed before `Test` is touched. `prior_trials` may add to what the ledger counts, never subtract."""

    alpha: float = Field(default=0.05, gt=0, le=0.2)
    min_sharpe: float = Field(default=0.5, gt=0, le=5)
    prior_trials: int = Field(default=0, ge=0)
    draws: int = Field(default=10_000, ge=200, le=100_000)


class ExecutorConfig(Config):
    """Where cells run: in processes on this machine, or on a ray cluster (extra `distributed`)."""

    kind: Literal["local", "ray"] = "local"
    workers: int = Field(default=2, ge=1, le=256)


class StudyConfig(Config):
    """One study, from data to verdict."""

    name: str = Field(json_schema_extra={"pattern": NAME})
    description: str = ""
    data: DataConfig
    joins: tuple[JoinConfig, ...] = ()
    features: tuple[str, ...] = ("a20",)
    horizons: tuple[Horizon, ...] = ("1d",)
    primary_horizon: Horizon = "1d"
    splits: SplitConfig = SplitConfig()
    models: tuple[ModelConfig, ...] = Field(min_length=1)
    seed: int = Field(default=42, ge=0, lt=2**32)
    seeds: int = Field(default=5, ge=1, le=100)
    golden: bool = False
    calibration: MapsConfig = MapsConfig()
    policy: PolicySpec = PolicySpec()
    market: MarketSpec = MarketSpec()
    verdict: VerdictConfig = VerdictConfig()
    plugins: tuple[str, ...] = ()
    executor: ExecutorConfig = ExecutorConfig()

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if re.fullmatch(NAME, name) is None:
            guess = re.sub(r"[^a-z0-9_-]+", "_", name.lower()).strip("_-")[:64]
            hint = f"; did you mean '{guess}'?" if guess else ""
            raise ValueError(
                f"allowed: small letters, digits, - and _, 64 at most, beginning with one of a-z, 0-9{hint}"
            )
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.primary_horizon not in self.horizons:
            options = ", ".join(self.horizons)
            raise ValueError(f"primary_horizon: got '{self.primary_horizon}'; allowed: an entry of horizons: {options}")
        if len(set(self.horizons)) != len(self.horizons):
            raise ValueError(f"horizons: got {list(self.horizons)}; it repeats an entry; keep each once")
        if self.golden and self.seeds < MINIMUM_GOLDEN_SEEDS:
            why = f"a golden study needs at least {MINIMUM_GOLDEN_SEEDS} seeds"
            raise ValueError(f"seeds: got {self.seeds}; {why}; add seeds, or set golden to false")
        keys = [(model.name, str(sorted(model.params.items()))) for model in self.models]
        again = sorted({name for name, params in keys if keys.count((name, params)) > 1})
        if again:
            fix = "remove one or change its params"
            raise ValueError(f"models: got {', '.join(again)} twice with the same params; {fix}")
        return self

    def identity(self) -> dict[str, Any]:
        """Return the resolved configuration without what cannot change a number."""
        values = self.model_dump(mode="json")
        for key in ("name", "description", "executor"):
            values.pop(key)
        for model in values["models"]:
            model.pop("label")
        return values


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses repeated keys."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise InputError(
                "study file", key, why=f"line {key_node.start_mark.line + 1} repeats this key", fix="keep one"
            )
        seen.add(key)
    return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_study(path: str | Path) -> StudyConfig:
    """Read and validate a study file.

    Raises:
        InputError: no such file, not YAML, a repeated key. ConfigError: every problem of the content at once.
    """
    return read_record(path, StudyConfig)


def read_record(path: str | Path, record: type[Record]) -> Record:
    """Read a YAML file into a record, with the errors of `read_study`."""
    file = Path(path)
    if not file.is_file():
        near = nearest(file.name, [item.name for item in file.parent.glob("*.y*ml")]) if file.parent.is_dir() else None
        hint = f"did you mean {file.parent / near}?" if near else "give the path of a study file (see studies/)"
        raise InputError("study", str(path), why="no such file", fix=hint)
    try:
        text = file.read_text(encoding="utf-8")
        values = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506  # a safe loader
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
        why = f"not valid YAML: {problem}" + (f", line {mark.line + 1}, column {mark.column + 1}" if mark else "")
        fix = "indent with spaces, not with tabs" if "\\t" in why else "correct the file"
        raise InputError("study", str(path), why=why, fix=fix) from None
    if not isinstance(values, dict):
        raise ConfigError(str(path), ["(top level): got no mapping; a study file has keys such as name, data, models"])
    values.pop("$schema", None)
    return record.parse(values, source=str(path), line=lambda place: _line(root, place))


def _line(root: yaml.Node | None, path: tuple[int | str, ...]) -> int | None:
    """Return the line on which the innermost written part of a path begins."""
    found, node = None, root
    for part in path:
        if isinstance(node, yaml.MappingNode):
            inner = next(((key, value) for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            inner = (node.value[part],) * 2
        else:
            inner = None
        if inner is None:
            break
        found, node = inner[0].start_mark.line + 1, inner[1]
    return found


def study_schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file."""
    schema = StudyConfig.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "karat study"
    return schema


def shipped_study(name: str) -> Path:
    """Return the path of a study that comes with karat: inside an installed wheel, else in the source tree."""
    package = Path(__file__).parent
    places = [package / f"{name}.yaml", package.parents[2] / "studies" / f"{name}.yaml"]
    for path in places:
        if path.is_file():
            return path
    raise InputError("study", name, why="it does not ship with this installation", fix="name a file: karat run FILE")
