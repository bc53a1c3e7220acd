"""The use cases of a run, with their services passed in. The flows, `datafactory submit` and others call them."""
