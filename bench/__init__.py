"""Measures the worker against its predecessor; nothing here is installed."""
