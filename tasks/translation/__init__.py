"""Translation: mismatched lengths, a sentence -> its translation."""
