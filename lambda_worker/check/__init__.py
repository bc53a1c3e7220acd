"""Checks one generator against its contract: reads its source, runs it a few times in the sandbox, compares."""
