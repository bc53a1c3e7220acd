"""The use cases of a run, with the services they need passed in: whoever drives a dataset calls these."""
