"""The Lambda ``{stack}-submit-tasks``: asks for a dataset without a clone of the project."""
