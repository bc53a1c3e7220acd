"""Lists, reads, writes and downloads S3 objects, and keeps the records under ``_datafactory/``. Stores are passed in."""
