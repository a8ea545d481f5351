"""How much of the machine others are using, and how many threads that leaves."""

import os
import threading
import time
from collections.abc import Collection
from pathlib import Path

from skerry._core import usable_cpus


def balanced_threads(most: int, cpus: int, others: float) -> int:
    """Threads for the CPUs that others leave free, at least 1 and at most `most`.

    >>> from skerry.cv.load import balanced_threads
    >>> [balanced_threads(8, cpus=4, others=busy) for busy in (0.2, 1.4, 2.6, 9.0)]
    [4, 3, 1, 1]
    """
    return max(1, min(most, int(cpus - others + 0.5)))


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
    """How many threads a call should take now: what the work of others leaves free of the usable CPUs.

    The work of others is the busy time of the CPUs less this process's own, over the last fifth of a second or more;
    before that has passed, and where there is no /proc/stat, it is the system's load average. Work that gives way to
    this process (a higher nice value) is not counted. For any number of threads at once.
    """

    WINDOW = 0.2  # seconds; ticks are of 0.01

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = self._look()
        self._others: float | None = None

    def threads(self, most: int) -> int:
        """Threads to take, 1 to `most`."""
        return balanced_threads(most, usable_cpus(), self.others())

    def others(self) -> float:
        """CPUs that other processes keep busy."""
        with self._lock:
            if time.monotonic() - self._since[0] >= self.WINDOW:
                now = self._look()
                if self._since[1] is not None and now[1] is not None:
                    busy = (now[1] - self._since[1]) - (now[2] - self._since[2])
                    self._others = max(0.0, busy / (now[0] - self._since[0]))
                self._since = now
            known = self._others
        return os.getloadavg()[0] if known is None else known

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
