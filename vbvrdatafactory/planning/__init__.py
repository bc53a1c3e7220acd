"""A dataset worked out: spec, plan, inventory, gaps and the messages that fill them. Pure: values in, values out."""
