"""How much of the machine others are using, and how many threads that leaves."""

import functools
import os
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Self

from skerry._core import usable_cpus


def balanced_threads(most: int, cpus: int, others: float, calls: int = 1) -> int:
    """Threads for one of some calls that share the CPUs that others leave free, at least 1 and at most `most`.

    >>> from skerry.cv.load import balanced_threads
    >>> [balanced_threads(8, cpus=4, others=busy) for busy in (0.2, 1.4, 2.6, 9.0)]
    [4, 3, 1, 1]
    >>> balanced_threads(8, cpus=4, others=0.2, calls=2)
    2
    """
    return max(1, min(most, int((cpus - others) / calls + 0.5)))


def busy_ticks(stat: str, cpus: Collection[int], with_nice: bool) -> int:
    """Ticks for which those CPUs have been busy, by the text of /proc/stat; `nice` work only if it is asked for."""
    ticks = 0
    for line in stat.splitlines():
        name, *fields = line.split()
        if name[:3] == "cpu" and name[3:].isdigit() and int(name[3:]) in cpus:
            user, nice, system, _, _, irq, softirq, steal, *_ = map(int, fields)
            ticks += user + system + irq + softirq + steal + (nice if with_nice else 0)
    return ticks


class LoadBalancer:
    """How many threads a call should take now: what the work of others leaves free, shared among the calls at work.

    The work of others is the busy time of the usable CPUs less this process's own, over the last half second or more;
    before that has passed, and where there is no /proc/stat, it is the system's load average. Work that gives way to
    this process (a higher nice value) is not counted. For any number of threads at once.
    """

    WINDOW = 0.5  # seconds; ticks are of 0.01

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = self._look()
        self._others = os.getloadavg()[0]
        self._cpus = usable_cpus()
        self._calls = 0

    def __enter__(self) -> Self:
        """A call is at work until the end of the `with`."""
        with self._lock:
            self._calls += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._calls -= 1

    def threads(self, most: int) -> int:
        """Threads to take for a call, 1 to `most`."""
        others = self.others()
        return balanced_threads(most, self._cpus, others, max(self._calls, 1))

    def others(self) -> float:
        """CPUs that other processes keep busy."""
        with self._lock:
            if time.monotonic() - self._since[0] >= self.WINDOW:
                now = self._look()
                if self._since[1] is not None and now[1] is not None:
                    busy = (now[1] - self._since[1]) - (now[2] - self._since[2])
                    self._others = max(0.0, busy / (now[0] - self._since[0]))
                else:
                    self._others = os.getloadavg()[0]
                self._since, self._cpus = now, usable_cpus()
            return self._others

    @staticmethod
    def _look() -> tuple[float, float | None, float]:
        """Now, seconds for which the CPUs of this process have been busy, and seconds of this process alone."""
        now, own = time.monotonic(), time.process_time()
        try:
            stat = Path("/proc/stat").read_text()
        except OSError:
            return now, None, own
        niced = os.getpriority(os.PRIO_PROCESS, 0) > 0
        return now, busy_ticks(stat, os.sched_getaffinity(0), niced) / os.sysconf("SC_CLK_TCK"), own


@functools.cache
def of_this_process() -> LoadBalancer:
    """The balancer that all generators of this process share, because they share its CPUs."""
    return LoadBalancer()
