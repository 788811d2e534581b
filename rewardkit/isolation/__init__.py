"""Run what can hang or crash in worker processes that can be killed: `WorkerPool`, `shared_pool`."""

from rewardkit.isolation.outcome import JSON, PoolError, Status, TaskError, TaskOutcome
from rewardkit.isolation.pool import WorkerPool, shared_pool

__all__ = ["JSON", "PoolError", "Status", "TaskError", "TaskOutcome", "WorkerPool", "shared_pool"]
