"""A release of a dataset: which samples it has, how they are split and ordered, what its files say.

Everything here is a function of values: tables, text and bytes. `vbvrdatafactory.driver` reads buckets and writes files.
"""
