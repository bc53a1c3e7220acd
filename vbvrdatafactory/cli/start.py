"""The console script: it loads the command, and says in one line why that cannot be."""

import sys


def main() -> None:
    """Run `datafactory`; packages that do not fit together are no traceback."""
    try:
        from vbvrdatafactory.cli import main as command
    except Exception as error:
        if {"-v", "--verbose"} & set(sys.argv):
            raise
        said = " ".join(str(error).split())
        sys.exit(
            f"datafactory: its packages do not fit together ({type(error).__name__}: {said}); in a checkout, "
            "make .venv/.ready puts back those of requirements.lock; elsewhere, install vbvrdatafactory anew"
        )
    command.main()
