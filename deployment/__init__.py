"""What is done with a trained model: served as a page, exported to files, described by a card.

Imports ``data``, ``models`` and ``training``. Nothing here depends on the task: what tasks differ in
comes from their predictors, which the entry modules in ``tasks`` hand over.
"""
