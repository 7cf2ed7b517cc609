"""Recurrent cells, one file each: the paper and its equation."""
