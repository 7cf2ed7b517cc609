"""From rows to batches of ids. Imports only itself."""
