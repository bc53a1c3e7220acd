"""What a generator wrote: samples found, checked and uploaded."""
