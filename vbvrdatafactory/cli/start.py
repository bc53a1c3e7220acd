"""The console script: loads the command, and reports in one line where that fails."""

import sys


def main() -> None:
    """Run `datafactory`; incompatible packages are reported without a traceback."""
    try:
        from vbvrdatafactory.cli import main as command
    except Exception as error:
        if {"-v", "--verbose"} & set(sys.argv):
            raise
        details = " ".join(str(error).split())
        sys.exit(
            f"datafactory: its packages do not fit together ({type(error).__name__}: {details}); in a checkout, "
            "make .venv/.ready puts back those of requirements.lock; elsewhere, install vbvrdatafactory anew"
        )
    command.main()
