"""Measures worker and control plane against what was there before; nothing here is installed."""
