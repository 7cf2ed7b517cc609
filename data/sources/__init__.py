"""Where rows come from: the hub, files, and the embedded generated language."""
