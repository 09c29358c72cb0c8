"""The simulated market: orders, fills, costs and money on bars, quotes, level 2 and level 3, and targets on bars.

One door, `simulate(data, intents, spec)`, and two kernels behind it. The event market (`Events`, orders, `VenueSpec`)
matches orders event by event; `run_strategy`, `run_compiled`, `simulate_chunks`, `simulate_execution` and `Market` are
other ways into it. The target panel (`Bars`, target weights or quantities, `MarketSpec`) turns targets into fills bar
by bar; `sweep` runs many settings. docs/concepts/market.md tells every assumption of both, and what is not simulated.
"""

from karat.data import FilterTerms
from karat.kernels import Decisions
from karat.market._attribution import attribution
from karat.market._bars import Bars, bars_from_panel
from karat.market._calibrate import Assumptions, Estimate, calibrate
from karat.market._capacity import Capacity, volumes_on, with_impact
from karat.market._chunks import simulate_chunks
from karat.market._compiled import run_compiled
from karat.market._compliance import CHECKED_RULES, ComplianceReport, Tape, validate_compliance
from karat.market._costs import CostParts, VariableCosts, monthly_costs, trade_costs
from karat.market._execution import Ladder, simulate_execution
from karat.market._fees import (
    Borrow,
    Costed,
    Fee,
    FeeQuery,
    FeeTier,
    Locate,
    NoFee,
    PerShareFee,
    RateFee,
    TieredFee,
    UserFee,
    VenueFee,
    compare_fees,
)
from karat.market._impact import (
    AlmgrenChrissImpact,
    ExecutedOrder,
    Impact,
    ImpactSchedule,
    LinearImpact,
    NoImpact,
    ScheduleTerms,
    Shortfall,
    SquareRootImpact,
    UserImpact,
    almgren_chriss,
    implementation_shortfall,
)
from karat.market._intents import TargetQuantities, TargetWeights
from karat.market._latency import ConstantLatency, Latency, LogNormalLatency, NoLatency, RecordedLatency, UserLatency
from karat.market._market import Market, Snapshot
from karat.market._model import Assumption, pack
from karat.market._order_files import read_orders
from karat.market._orders import Amend, Cancel, Intents, Order, Target, intents_on
from karat.market._plots import plot_run
from karat.market._profiles import PROFILES, Profile, profile
from karat.market._queue import (
    FullFills,
    LogQueue,
    NoQueue,
    PartialFills,
    PoissonBetaFills,
    PowerQueue,
    Queue,
    RiskAverseQueue,
    UserFills,
    UserQueue,
)
from karat.market._reasons import REASONS, Reason
from karat.market._record import MarketRun
from karat.market._rule_checks import BandCheck, check_filters, check_luld_bands, check_ssr_trigger
from karat.market._rulebook import Listing
from karat.market._rules_engine import RulesEngine, Verdict
from karat.market._setup import InstrumentTerms, Setup, read_events, read_setup
from karat.market._simulate import simulate
from karat.market._simulation import Simulation
from karat.market._slippage import BpsSlippage, NoSlippage, Slippage, TickSlippage, UserSlippage
from karat.market._spec import MarketSpec, Quanta
from karat.market._strategy import Context, run_strategy
from karat.market._summary import describe_run, latency_buckets, run_facts
from karat.market._sweep import Sweep, sweep
from karat.market._venue import TradingTerms, VenueSpec
from karat.market._venue_rules import RuleTerms

__all__ = [
    "CHECKED_RULES",
    "PROFILES",
    "REASONS",
    "AlmgrenChrissImpact",
    "Amend",
    "Assumption",
    "Assumptions",
    "BandCheck",
    "Bars",
    "Borrow",
    "BpsSlippage",
    "Cancel",
    "Capacity",
    "ComplianceReport",
    "ConstantLatency",
    "Context",
    "CostParts",
    "Costed",
    "Decisions",
    "Estimate",
    "ExecutedOrder",
    "Fee",
    "FeeQuery",
    "FeeTier",
    "FilterTerms",
    "FullFills",
    "Impact",
    "ImpactSchedule",
    "InstrumentTerms",
    "Intents",
    "Ladder",
    "Latency",
    "LinearImpact",
    "Listing",
    "Locate",
    "LogNormalLatency",
    "LogQueue",
    "Market",
    "MarketRun",
    "MarketSpec",
    "NoFee",
    "NoImpact",
    "NoLatency",
    "NoQueue",
    "NoSlippage",
    "Order",
    "PartialFills",
    "PerShareFee",
    "PoissonBetaFills",
    "PowerQueue",
    "Profile",
    "Quanta",
    "Queue",
    "RateFee",
    "Reason",
    "RecordedLatency",
    "RiskAverseQueue",
    "RuleTerms",
    "RulesEngine",
    "ScheduleTerms",
    "Setup",
    "Shortfall",
    "Simulation",
    "Slippage",
    "Snapshot",
    "SquareRootImpact",
    "Sweep",
    "Tape",
    "Target",
    "TargetQuantities",
    "TargetWeights",
    "TickSlippage",
    "TieredFee",
    "TradingTerms",
    "UserFee",
    "UserFills",
    "UserImpact",
    "UserLatency",
    "UserQueue",
    "UserSlippage",
    "VariableCosts",
    "VenueFee",
    "VenueSpec",
    "Verdict",
    "almgren_chriss",
    "attribution",
    "bars_from_panel",
    "calibrate",
    "check_filters",
    "check_luld_bands",
    "check_ssr_trigger",
    "compare_fees",
    "describe_run",
    "implementation_shortfall",
    "intents_on",
    "latency_buckets",
    "monthly_costs",
    "pack",
    "plot_run",
    "profile",
    "read_events",
    "read_orders",
    "read_setup",
    "run_compiled",
    "run_facts",
    "run_strategy",
    "simulate",
    "simulate_chunks",
    "simulate_execution",
    "sweep",
    "trade_costs",
    "validate_compliance",
    "volumes_on",
    "with_impact",
]
