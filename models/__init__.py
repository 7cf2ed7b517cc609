"""The recurrent core that every task shares, and the parts that heads are made of. Imports only itself.

Shape letters, in every docstring: B batch, T source length, S target length, E embedding, H hidden, D encoder output,
V vocabulary. A mask is True on tokens, and padding stands at the right.
"""
