"""``hydra/sweeper=optuna``, as its plugin has it, but for the best score in place of the lowest loss."""

import contextlib

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.plugins.search_path_plugin import SearchPathPlugin


class OptunaDefaults(SearchPathPlugin):
    """Puts other defaults in place of the plugin's: Hydra calls this once it has loaded all plugins."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        with contextlib.suppress(ImportError):  # the plugin is an extra
            from hydra_plugins.hydra_optuna_sweeper.config import Direction, OptunaSweeperConf

            sweeper = OptunaSweeperConf(
                direction=Direction.maximize,
                n_jobs=1,  # one after another, as without Optuna, so that every trial learns from all before it
                max_failure_rate=1.0,  # a trial that fails or diverges ends only itself
            )
            ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=sweeper, provider="rnnbench")
