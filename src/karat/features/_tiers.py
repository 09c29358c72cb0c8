"""The tiers of daily features, each within the next: which function at which windows belongs to which.

Rules, checked on the Nasdaq Composite 1999 to 2018 and on a panel of 88 stocks by `karat.features.check_distinct` and
its tests: exactly 20, 100, 250 and 500 columns, no two with an absolute rank correlation above 0.995, none the product
of two others, none another one some bars later, at most five windows a function, the shortest of at least five bars.
"""

from __future__ import annotations

from typing import Final

A20: Final = (
    "ret_1", "ret_5", "ret_20", "gap", "close_location",
    "sma_ratio_10", "sma_ratio_50", "ema_ratio_12_26", "macd_hist", "adx_14",
    "rsi_14", "stoch_d_14", "cci_20",
    "bollinger_b", "bollinger_width", "natr_14", "realised_vol_20",
    "volume_z_20", "mfi_14", "obv_slope_20",
)  # fmt: skip
"""The twenty indicators."""

A100: Final = (
    "ret_60", "gap_mean_20", "intraday_mean_20", "overnight_share_20", "location_mean_20", "body_share_20",
    "range_position_20", "drawdown_20", "runup_20", "since_high_20", "since_low_20", "max_return_20", "streak",
    "line_slope_20", "line_fit_20", "parabola_20", "kama_ratio_30", "aroon_20", "cross_age_20", "straightness_20",
    "choppiness_20", "turn_share_20",
    "ultimate", "up_share_20", "acceleration_20", "ret_skip_60", "sharpe_250",
    "parkinson_20", "garman_klass_10", "rogers_satchell_20", "yang_zhang_20", "ewma_vol_10", "vol_change_20",
    "vol_of_vol_20", "downside_share_20", "jump_share_20", "leverage_20", "clustering_20", "vol_rank_60", "ulcer_20",
    "money_flow_20", "vwap_gap_60", "force_30", "volume_trend_20", "volume_rank_20", "return_volume_20",
    "size_volume_20",
    "skewness_20", "kurtosis_20", "autocorrelation1_20", "variance_ratio5_20", "night_day_20",
    "amihud_20", "roll_20", "corwin_schultz_20", "abdi_ranaldo_20", "impact_20",
    "index_return", "index_vol_20", "relative_ret_20", "relative_z_20", "beta_20", "index_correlation_20",
    "own_risk_20",
    "vix_change_20d", "vix_correlation_20", "variance_premium_20", "vix_close", "vix_percentile_60d",
    "hurst_64", "dfa_64", "permutation_entropy_30", "scaling_20",
    "haar2_20", "daubechies2_20", "fourier5_60", "cycle20_60",
    "half_year_sine", "month_sine", "same_weekday_20",
)  # fmt: skip
"""What `a100` has beyond `a20`."""

A250: Final = (
    "gap_mean_60", "intraday_mean_5", "overnight_share_60", "location_mean_60", "body_share_60", "upper_shadow_20",
    "upper_shadow_60", "lower_shadow_20", "lower_shadow_60", "open_location_20", "open_location_60",
    "range_position_60", "drawdown_60", "runup_60", "since_high_60", "since_low_60", "max_return_60", "min_return_20",
    "min_return_60", "median_return_20", "median_return_60", "inside_share_20", "inside_share_60", "filled_share_20",
    "filled_share_60", "breakouts_20", "breakouts_60",
    "adx_28", "ema_gap_5", "ema_gap_20", "line_slope_60", "line_fit_60", "line_end_20", "line_end_60", "parabola_60",
    "bend_20", "bend_60", "hull_ratio_20", "hull_ratio_60", "kama_ratio_60", "trix_10", "trix_20", "aroon_60",
    "vortex_20", "vortex_60", "directed_14", "directed_28", "mass_index_10", "mass_index_60", "cross_age_60",
    "above_share_20", "above_share_60", "channel_10", "channel_20", "elder_bull_30", "elder_bull_60", "elder_bear_30",
    "elder_bear_60", "straightness_60", "choppiness_60",
    "rsi_position_14", "true_strength_60", "vigor_20", "demark_14", "qstick_60", "squeeze_momentum_20",
    "smoothed_gap_20",
    "range_change_20", "range_vol_20", "move_to_range_20", "range_z_20", "return_z_60", "largest_range_20",
    "tail_skew_20", "tail_peak_20", "vol_trend_20", "range_rank_20", "deepest_20", "shock_age_20",
    "ease_14", "volume_change_20", "volume_vol_20", "volume_peak_20", "volume_skewness_20", "volume_memory_20",
    "since_volume_20", "price_volume_20", "range_volume_20", "volume_return_20", "quiet_return_20", "busy_return_20",
    "gain_volume_20",
    "range_skewness_20", "lean_20", "compactness_20", "autocorrelation2_20", "autocorrelation3_20",
    "autocorrelation5_20", "variance_ratio2_20", "variance_ratio10_20", "day_night_20", "range_memory_20",
    "sign_memory_20",
    "amihud_change_20",
    "index_ret_20", "index_position_20", "index_drawdown_20", "index_rsi_14", "relative_slope_20", "relative_rank_60",
    "beta_down_60", "alpha_20", "index_lead_20", "coskewness_60", "size_correlation_20", "range_index_20",
    "excess_memory_20",
    "vix_gap_60", "vix_trend_20", "vix_vol_20", "vix_drawdown_20", "vix_beta_20", "vix_size_20", "vix_spike_age_250",
    "vix_zscore_20d", "vix_change_1d",
    "range_dfa_64", "volume_dfa_64", "price_entropy_30", "volume_entropy_30", "range_entropy_30", "volume_scaling_20",
    "time_arrow_20", "hjorth_20", "roughness_20",
    "haar1_20", "haar3_20", "haar4_20", "daubechies1_20", "daubechies3_20", "fourier3_60", "fourier10_60",
    "fourier20_60", "cycle40_60", "range_fourier5_60",
    "half_year_cosine", "month_cosine", "weekday", "same_weekday_range_20", "last_year_15",
)  # fmt: skip
"""What `a250` has beyond `a100`."""

A500: Final = (
    "gap_mean_5", "intraday_mean_120", "overnight_share_120", "location_mean_10", "body_share_5", "upper_shadow_5",
    "lower_shadow_5", "open_location_5", "range_position_5", "drawdown_10", "runup_10", "since_high_10",
    "since_low_10", "max_return_5", "min_return_5", "median_return_10", "inside_share_120", "filled_share_120",
    "breakouts_120",
    "sma_ratio_20", "adx_60", "ema_gap_40", "line_slope_10", "line_fit_10", "line_end_10", "parabola_10", "bend_10",
    "hull_ratio_10", "kama_ratio_10", "trix_5", "aroon_120", "vortex_10", "directed_60", "mass_index_25",
    "cross_age_10", "above_share_10", "channel_5", "elder_bull_10", "elder_bear_10", "straightness_10",
    "choppiness_10", "turn_share_10", "turn_share_60",
    "rsi_28", "rsi_60", "stoch_d_28", "stoch_d_60", "cci_10", "cci_60", "rsi_position_28", "rsi_position_60",
    "true_strength_10", "vigor_10", "up_share_10", "up_share_60", "acceleration_10", "acceleration_60",
    "ret_skip_120", "ret_skip_250", "demark_30", "demark_60", "qstick_10", "squeeze_momentum_10",
    "squeeze_momentum_60", "smoothed_gap_5", "smoothed_gap_10",
    "natr_7", "natr_60", "realised_vol_5", "realised_vol_10", "bollinger_b_10", "bollinger_b_50",
    "bollinger_width_10", "bollinger_width_120", "parkinson_60", "parkinson_120", "garman_klass_5",
    "rogers_satchell_5", "rogers_satchell_10", "yang_zhang_10", "yang_zhang_60", "ewma_vol_33", "ewma_vol_120",
    "vol_change_10", "vol_change_60", "range_change_10", "range_change_60", "vol_of_vol_10", "vol_of_vol_60",
    "range_vol_10", "range_vol_60", "downside_share_10", "downside_share_60", "jump_share_10", "jump_share_60",
    "move_to_range_10", "move_to_range_60", "range_z_10", "range_z_60", "return_z_10", "largest_range_10",
    "largest_range_60", "tail_skew_60", "tail_skew_120", "tail_peak_60", "tail_peak_120", "leverage_60",
    "leverage_120", "clustering_60", "clustering_120", "vol_trend_10", "vol_trend_60", "vol_rank_120", "vol_rank_250",
    "range_rank_60", "range_rank_120", "ulcer_10", "ulcer_60", "deepest_10", "deepest_60", "shock_age_60",
    "shock_age_120",
    "volume_z_10", "volume_z_60", "mfi_28", "mfi_60", "obv_slope_10", "obv_slope_60", "money_flow_10",
    "money_flow_60", "vwap_gap_5", "force_13", "force_60", "ease_30", "ease_60", "volume_trend_10", "volume_trend_60",
    "volume_change_10", "volume_change_60", "volume_vol_10", "volume_vol_60", "volume_rank_60", "volume_rank_120",
    "volume_peak_10", "volume_peak_60", "volume_skewness_60", "volume_skewness_120", "volume_memory_60",
    "volume_memory_120", "since_volume_10", "since_volume_60", "return_volume_10", "return_volume_60",
    "price_volume_10", "price_volume_60", "size_volume_10", "size_volume_60", "range_volume_60", "range_volume_120",
    "volume_return_5", "volume_return_60", "quiet_return_10", "quiet_return_60", "busy_return_10", "busy_return_60",
    "gain_volume_5", "gain_volume_60",
    "skewness_10", "skewness_60", "kurtosis_10", "kurtosis_60", "range_skewness_60", "lean_60", "compactness_60",
    "autocorrelation1_60", "autocorrelation2_60", "autocorrelation3_60", "autocorrelation5_60", "variance_ratio2_60",
    "variance_ratio5_60", "variance_ratio10_60", "night_day_60", "day_night_60", "range_memory_60", "sign_memory_60",
    "amihud_60", "amihud_change_60", "roll_60", "corwin_schultz_60", "abdi_ranaldo_60", "impact_60",
    "index_ret_60", "index_vol_60", "index_position_60", "index_drawdown_60", "index_rsi_28", "relative_ret_60",
    "relative_z_60", "relative_slope_60", "relative_rank_120", "beta_60", "beta_down_120", "alpha_60",
    "index_correlation_60", "index_lead_60", "coskewness_120", "own_risk_60", "size_correlation_60", "range_index_60",
    "excess_memory_60",
    "vix_gap_10", "vix_percentile_120d", "vix_change_60d", "vix_trend_60", "vix_vol_60", "vix_drawdown_60",
    "vix_beta_60", "vix_correlation_60", "vix_size_60", "variance_premium_60",
    "hurst_128", "dfa_128", "range_dfa_128", "volume_dfa_128", "permutation_entropy_60", "price_entropy_60",
    "volume_entropy_60", "range_entropy_60", "scaling_60", "volume_scaling_60", "time_arrow_60", "hjorth_60",
    "roughness_60",
    "haar1_60", "haar2_60", "haar3_60", "haar4_60", "daubechies1_60", "daubechies2_60", "daubechies3_60",
    "fourier3_120", "fourier5_120", "fourier10_120", "fourier20_120", "cycle20_120", "cycle40_120",
    "range_fourier5_120",
    "same_weekday_60", "same_weekday_range_60", "last_year_30",
)  # fmt: skip
"""What `a500` has beyond `a250`."""

KIN: Final = frozenset(
    {
        *(frozenset({f"body_share_{w}", f"upper_shadow_{w}", f"lower_shadow_{w}"}) for w in (5, 20, 60)),
        *(frozenset({f"aroon_{w}", f"since_high_{w}", f"since_low_{w}"}) for w in (20, 60)),
        frozenset({"half_year_sine", "half_year_cosine"}),
    }
)
"""Columns of the tiers that make each other up: three as a sum (body and shadows are the whole bar), or two waves that
are the same a quarter of a period later. The rules above do not forbid sums; a test finds these and no others.
"""
