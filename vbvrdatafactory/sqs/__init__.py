"""Sends and receives SQS messages, reads queue depth and dead letters, and finds out what consumes a queue. Clients are passed in."""
