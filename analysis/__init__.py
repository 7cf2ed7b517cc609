"""What runs came to: compared, verified, reproduced, recorded and published. Imports all the other packages.

``compare`` reads the results of any runs; ``verify`` and ``reproduce`` run them again; ``record`` keeps results in
``results/``, and ``publish`` writes the README's tables from them.
"""
