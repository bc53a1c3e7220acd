"""The ledger: the receipts of a generator, folded to a table with one row a sample, and joined with a listing.

Everything here is a function of values: tables, receipts and bytes. `vbvrdatafactory.s3.ledger` reads and writes them.
"""
