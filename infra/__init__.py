"""The stack on AWS, and the embedded AWS that runs the same stack on this machine."""
