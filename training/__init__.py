"""The engine: what every run does, whatever its task. Imports ``data`` and ``models``.

``run`` is the life of a run, ``build`` makes the parts that a config names, ``trainer`` is the one training loop,
``load`` and ``predict`` use what was trained, ``folders`` and ``result`` say what a run leaves behind.
"""
