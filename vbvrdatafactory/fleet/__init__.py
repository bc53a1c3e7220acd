"""The generators on this machine: which folders hold one."""
