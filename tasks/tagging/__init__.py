"""POS tagging: same-length many-to-many, a sentence -> one tag a word."""
