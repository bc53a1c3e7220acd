"""What runs in the Lambda besides the library: one batch in, its samples and a receipt in the bucket.

The worker knows nothing of Prefect or CDK, and treats a generator as a program it can't trust.
"""
