"""The launcher that the suite adds to Hydra, which takes launchers from the package ``hydra_plugins`` alone."""
