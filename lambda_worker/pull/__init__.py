"""`datafactory worker`: the handler's batches made by a process that receives messages itself."""
