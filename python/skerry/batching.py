"""Requests of many threads run together: who waits, who goes along, how many at once."""

from skerry._core import BatchingManager, BatchingStatistics, BatchOptimizer, BatchScheduler

__all__ = ["BatchOptimizer", "BatchScheduler", "BatchingManager", "BatchingStatistics"]
