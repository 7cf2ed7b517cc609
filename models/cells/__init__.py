"""Recurrent cells, one file each: a paper and its equations, in the paper's letters."""
