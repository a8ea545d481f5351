"""Where time goes: sessions that record, metrics for Prometheus, the processor's own counters."""

from skerry._core import (
    Counter,
    Gauge,
    Histogram,
    MetricsCollector,
    PerformanceCounter,
    Profiler,
    ProfilerSession,
    ProfileTotal,
)

HARDWARE_EVENTS = tuple(PerformanceCounter().values)

__all__ = [
    "HARDWARE_EVENTS",
    "Counter",
    "Gauge",
    "Histogram",
    "MetricsCollector",
    "PerformanceCounter",
    "ProfileTotal",
    "Profiler",
    "ProfilerSession",
]
