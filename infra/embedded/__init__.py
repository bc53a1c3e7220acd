"""The embedded AWS's server process: ministack, behind a check of Host and Origin, with the disk as the truth of its S3."""
