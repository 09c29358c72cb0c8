"""The study file: one YAML document, closed and frozen, every default written back to `run.json`.

Invariants:
1. Unknown keys are refused with their path and the nearest valid name; all problems are reported at once.
2. YAML is read with the safe loader; a key given twice is an error, never the last one wins.
3. `identity()` leaves out what cannot change a number: the name, the description, the executor.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import yaml
from pydantic import Field, field_validator, model_validator

from karat.core import Config, ConfigError, InputError, nearest
from karat.data import Bars
from karat.features.regimes import FOLLOWING
from karat.market import MarketSpec
from karat.portfolio import PolicySpec
from karat.study._regimes import NONE

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
    bars: Bars = "1d"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"end: got {self.end}; allowed: a date from start on, {self.start}")
        return self


class JoinConfig(Config):
    """Something beside the study's own bars, seen as of `known_at`: a column, or features and regimes computed there.

    source: where it comes from; None is the study's own panel as it was loaded. column: becomes the panel's column
    `name`, for features that read it; `close` where nothing else is named. features, regimes: computed on the source
    in `bars`, and inputs of the models as NAME_FEATURE and NAME_regime_SYSTEM. max_age_days: how long after it was
    known a value may be used.
    """

    source: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    column: str | None = None
    name: str
    bars: Literal[Bars, "source"] = "source"
    features: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    max_age_days: float = Field(default=15.0, gt=0)

    @property
    def computes(self) -> bool:
        """Whether features or regimes are computed, rather than a column taken."""
        return bool(self.features or self.regimes)

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.computes and self.column is not None:
            raise ValueError(f"column: got '{self.column}' beside features or regimes; write a second join for it")
        if self.computes and not self.name.isidentifier():
            guess = re.sub(r"\W+", "_", self.name).strip("_")
            hint = f"; did you mean '{guess}'?" if guess.isidentifier() else ""
            raise ValueError(f"name: got '{self.name}'; allowed: a Python identifier, as the prefix of features{hint}")
        if not self.computes and self.source is None:
            for empty in ("features", "regimes"):
                if empty in self.model_fields_set:
                    raise ValueError(
                        f"{empty}: got []; name features, regimes or both, or a source to take a column of"
                    )
            raise ValueError("source: got none; name a source, or features or regimes of the study's own bars")
        if not self.computes and self.bars != "source":
            raise ValueError(f"bars: got '{self.bars}'; a column is taken in the bars of its source; name features")
        return self


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
    before, by a system of `karat regimes list` that follows its past; volatility is taken in terciles.
    """

    classes: Literal["none", "isotonic", "platt", "temperature"] = "none"
    quantiles: Literal["none", "conformal"] = "none"
    by_regime: str = Field(default=NONE, json_schema_extra={"enum": [NONE, *FOLLOWING]})

    @model_validator(mode="after")
    def _something_by_regime(self) -> Self:
        if self.by_regime != NONE and not self.used:
            unknown = "" if self.by_regime in FOLLOWING else f"; {_systems_named(self.by_regime)}"
            why = "nothing is calibrated; set classes or quantiles"
            raise ValueError(f"by_regime: got '{self.by_regime}'; {why}{unknown}")
        return self

    @property
    def used(self) -> bool:
        """Whether anything is calibrated."""
        return (self.classes, self.quantiles) != ("none", "none")


def _systems_named(name: str) -> str:
    guess = nearest(name, FOLLOWING)
    return f"allowed: {', '.join((NONE, *FOLLOWING))}" + (f"; did you mean '{guess}'?" if guess else "")


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
    """One study, from data to verdict.

    regimes: systems by which gate 3 prints what the selected model was worth, beside `volatility`, `vix` where the
    panel has it, and the one that calibrates.
    """

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
    regimes: tuple[str, ...] = ()
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
        names = [join.name for join in self.joins]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"joins: got the name {', '.join(twice)} twice; give each join a name of its own")
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
    """Read and validate a study file, or the study in a run's run.json.

    Raises:
        InputError: no such file, not YAML, a repeated key. ConfigError: every problem of the content at once.
    """
    return read_record(path, StudyConfig)


def read_record(path: str | Path, record: type[Record]) -> Record:
    """Read a YAML file into a record, with the errors of `read_study`."""
    file = Path(path)
    if not file.is_file():
        there = [item.name for item in file.parent.glob("*.y*ml") if _looks_like(item, record)]
        near = nearest(file.name, there)
        hint = f"did you mean {file.parent / near}?" if near else "give the path of a study file (see studies/)"
        raise InputError("study", str(path), why="no such file", fix=hint)
    kind = file.suffix.removeprefix(".")
    if kind in ("csv", "parquet", "gz"):
        own = "csv" if kind == "gz" else kind
        fix = f"write a study that loads it, data: {{source: {own}, params: {{path: {path}, ...}}}}"
        raise InputError("study", str(path), why="it is a table of data", fix=fix)
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
    inside = ("config",) if {"run_id", "config"} <= values.keys() else ()  # a run's run.json
    values = recorded_study(values) if inside else values
    return record.parse(values, source=str(path), line=lambda place: _line(root, (*inside, *place)))


def _looks_like(file: Path, record: type[Config]) -> bool:
    """Return whether a file has the top-level keys that a record cannot be without."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    needed = [name for name, field in record.model_fields.items() if field.is_required()]
    return all(re.search(rf"^[\"']?{name}[\"']?\s*:", text, re.MULTILINE) for name in needed)


def recorded_study(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the study file that a run.json holds.

    Bars per year that are not those of the run were a default: what the run used follows from its bars and calendar.
    """
    policy = dict(run["config"].get("policy", {}))
    if policy.get("bars_per_year") != run.get("bars_per_year"):
        policy.pop("bars_per_year", None)
    return {**run["config"], "policy": policy}


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
