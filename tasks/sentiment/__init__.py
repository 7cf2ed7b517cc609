"""Sentiment analysis: many-to-one, a text -> one label."""
