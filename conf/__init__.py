"""The configs, as a package, so that a folder ``conf/`` of the user's does not hide them."""
