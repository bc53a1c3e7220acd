"""Models, keys, ranges, seeds, configuration and errors. Free of side effects; only `config` reads the environment."""
