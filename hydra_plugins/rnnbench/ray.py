"""``hydra/launcher=ray``: the jobs of a sweep as tasks of a running Ray cluster."""

import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

log = logging.getLogger(__name__)


class RayLauncher(Launcher):
    """As many jobs at a time as the cluster has processors and GPUs for; a job whose machine dies starts again."""

    def __init__(self, address: str, num_cpus: int, num_gpus: float) -> None:
        self.address = address
        self.resources = {"num_cpus": num_cpus, "num_gpus": num_gpus}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs, also if some fail; ``on_error=stop`` ends them all at the first failure."""
        try:
            import ray  # here, since Hydra imports every plugin at every start
        except ImportError:
            sys.exit('error: hydra/launcher=ray needs Ray: pip install -e ".[ray]"')
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        try:
            if not ray.is_initialized():
                check_reachable(self.address)
                ray.init(address=self.address)
        except OSError as error:
            sys.exit(f"error: no Ray cluster answers at hydra.launcher.address={self.address}: {error}")
        log.info("Ray is launching %d jobs, sweep output dir: %s", len(job_overrides), self.config.hydra.sweep.dir)
        job = ray.remote(**self.resources)(run_there)
        tasks = []
        for index, overrides in enumerate(job_overrides, initial_job_idx):
            log.info("\t#%d : %s", index, " ".join(filter_overrides(overrides)))
            given = (self.context, self.function, self.config, list(overrides), index, Singleton.get_state())
            tasks.append(job.remote(str(Path.cwd()), *given))

        returns: dict[Any, JobReturn] = {}
        while waiting := [task for task in tasks if task not in returns]:
            (task,), _ = ray.wait(waiting)
            try:
                ended = ray.get(task)
            except ray.exceptions.RayError as error:  # its machine or process is gone, and so were those it got again
                ended = JobReturn(job_overrides[tasks.index(task)], status=JobStatus.FAILED)
                ended.return_value = error
            if not isinstance(ended, JobReturn):
                sys.exit(ended)
            returns[task] = ended
        return [returns[task] for task in tasks]


def check_reachable(address: str) -> None:
    """An ``OSError`` where nothing answers at HOST:PORT, for which Ray itself waits without end."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=10).close()


def run_there(
    directory: str,
    context: HydraContext,
    function: TaskFunction,
    config: DictConfig,
    overrides: list[str],
    index: int,
    singletons: dict[Any, Any],
) -> JobReturn | int | str | None:
    """A job, in the folder that the sweep was started in; the exit code, where it asks for the end of the sweep."""
    os.chdir(directory)
    setup_globals()
    Singleton.set_state(singletons)
    job = context.config_loader.load_sweep_config(config, overrides)
    with open_dict(job):
        job.hydra.job.id = f"{job.hydra.job.name}_{index}"
        job.hydra.job.num = index
    try:
        return run_job(
            hydra_context=context,
            config=job,
            task_function=function,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
    except SystemExit as end:  # Ray would take it for a crash of its worker, and start the job again
        return end.code
