"""Forecasting: a window on a time series -> the next values, with their uncertainty."""
