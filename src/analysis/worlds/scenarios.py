"""Every scenario by its name, in the order in which a reader meets them."""

from __future__ import annotations

from analysis.worlds import adoption, attention, campaigns, durations, panels, responses, sampled, thresholds
from analysis.worlds.world import Scenario

SCENARIOS: dict[str, Scenario] = {
    "probability": campaigns.PROBABILITY,
    "bots": campaigns.BOTS_INFLATE,
    "unreported": campaigns.UNREPORTED,
    "encouraged": campaigns.ENCOURAGED,
    "clusters": campaigns.CLUSTERED,
    "sampled": sampled.SAMPLED,
    "rare": responses.RARE,
    "counts": responses.COUNTS,
    "stages": responses.STAGES,
    "panel": panels.SCORE,
    "panel_counts": panels.EVENTS,
    "adoption_alike": adoption.ALIKE,
    "adoption_unlike": adoption.UNLIKE,
    "adoption_growing": adoption.GROWING,
    "adoption_null": adoption.NONE,
    "adoption_trends": adoption.TRENDS,
    "stacked": adoption.STACKED,
    "threshold": thresholds.THRESHOLD,
    "duration": durations.DURATION,
    "competing": durations.COMPETING,
    "attention": attention.ATTENTION,
}
