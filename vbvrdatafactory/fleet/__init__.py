"""Finds the generators on this machine."""
