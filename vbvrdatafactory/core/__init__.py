"""Nouns and pure rules: values in, values out. No boto3, no clock, no network; the environment only in `config`."""
