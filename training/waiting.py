"""How OpenMP's threads wait for each other: chosen by the load of the machine, before PyTorch is imported."""

import logging
import os
import statistics
import time
from collections.abc import MutableMapping
from pathlib import Path

log = logging.getLogger(__name__)

VARIABLE = "OMP_WAIT_POLICY"
BUSY = 0.25  # of the cores in use by other programs
SAMPLES, PAUSE = 5, 0.01  # of the number of running threads; seconds between two samples


def choose_wait_policy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let idle threads sleep on a loaded machine, unless the user has chosen how they wait.

    By default they spin, which is about a tenth faster on an idle machine, and many times slower where another program
    needs the cores. OpenMP reads the choice when it is loaded, so this has an effect only before PyTorch is imported.
    """
    if VARIABLE in environment or "GOMP_SPINCOUNT" in environment:
        return
    cores, load = available_cores(), machine_load()
    if load > BUSY * cores:
        environment[VARIABLE] = "PASSIVE"
        log.info(
            "The machine is loaded (%.1f on %d cores): idle threads sleep (%s=PASSIVE; set it to choose)",
            load,
            cores,
            VARIABLE,
        )


def machine_load() -> float:
    """The number of threads that other programs keep running: now and over the last minute, whichever is less.

    The average alone still counts a program that has just ended; the present number alone, one that has just woken up.
    """
    average = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    path = Path("/proc/loadavg")
    if not path.is_file():
        return average
    samples = []
    for _ in range(SAMPLES):
        samples.append(int(path.read_text().split()[3].partition("/")[0]) - 1)  # without this thread
        time.sleep(PAUSE)
    return min(average, statistics.median(samples))


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
