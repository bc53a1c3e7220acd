"""The predecessor's ``scripts/monitor.py``: its options, carried out by ``datafactory monitor``.

python scripts/monitor.py --watch --interval 5
"""

import click

from vbvrdatafactory.cli.main import cli


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-w", "--watch", is_flag=True, help="Go on looking until Ctrl-C.")
@click.option("-i", "--interval", default=10.0, show_default=True, help="Seconds between two looks.")
def main(*, watch: bool, interval: float) -> None:
    """Show what is in the queues, with the options of the predecessor's script."""
    cli(["monitor", "--interval", str(interval), *(["--watch"] if watch else [])])


if __name__ == "__main__":
    main()
