"""The contracts: models, keys, ranges, seeds, configuration and errors. Pure; the environment only in `config`."""
