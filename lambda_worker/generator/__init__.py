"""Runs a generator as a program that can't be trusted: sandbox, launcher, limits, processes."""
