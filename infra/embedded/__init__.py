"""The embedded AWS's server process: ministack, behind a gate, with the disk as the truth of its S3."""
