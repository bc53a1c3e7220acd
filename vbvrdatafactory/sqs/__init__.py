"""The one door to SQS: sending batches, looking at depth, explaining dead letters. Clients are passed in."""
