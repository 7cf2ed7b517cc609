"""Diagnostics of memory: a generated sequence -> what it was, from a distance."""
