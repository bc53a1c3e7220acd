"""What a worker shows on a terminal of what generators and messages say."""

import io
import logging

import pytest
from rich.console import Console

from lambda_worker.pull import screen as module
from lambda_worker.pull.screen import screen

SAID = "\x1b[2J\x9b31m \u202egnp.exe [red]x[/red]"


@pytest.mark.parametrize("verbose", [False, True])
def test_the_log_has_no_power_over_the_terminal(monkeypatch: pytest.MonkeyPatch, verbose: bool) -> None:
    """A failure's words are shown as they are, in the short form and in the long one."""
    shown = io.StringIO()
    monkeypatch.setattr(
        module, "Console", lambda **options: Console(**{**options, "stderr": False}, file=shown, width=200)
    )
    log = logging.getLogger("worker-of-a-test")
    with screen(log, log, verbose=verbose):
        log.warning("attempt 1: %s", SAID)
        try:
            compile(SAID, SAID, "exec")
        except SyntaxError:
            log.exception("failed")
    assert "\\x1b[2J\\x9b31m \\u202egnp.exe [red]x[/red]" in shown.getvalue()
    assert all(letter.isprintable() or letter == "\n" for letter in shown.getvalue())
