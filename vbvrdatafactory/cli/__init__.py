"""The `datafactory` command. Modules import what is heavy only when a command runs, so that help is quick."""
