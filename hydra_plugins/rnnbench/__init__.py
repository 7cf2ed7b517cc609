"""What the suite adds to Hydra, which looks for it in ``hydra_plugins``."""
