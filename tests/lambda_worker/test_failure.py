import pytest

from lambda_worker.failure import from_exit, signature
from vbvrdatafactory.core.causes import Cause

TRACEBACK = """Traceback (most recent call last):
  File "generate.py", line 3, in <module>
    {line}
{line}
"""


@pytest.mark.parametrize(
    ("exit_code", "stderr", "cause"),
    [
        (1, TRACEBACK.format(line="ValueError: empty range"), Cause.CRASH),
        (1, TRACEBACK.format(line="ModuleNotFoundError: No module named 'cv2'"), Cause.MISSING_DEPENDENCY),
        (1, TRACEBACK.format(line="MemoryError"), Cause.MEMORY),
        (1, TRACEBACK.format(line="OSError: [Errno 28] No space left on device"), Cause.DISK),
        (-9, "", Cause.MEMORY),
        (-11, "", Cause.CRASH),
        (3, "", Cause.CRASH),
    ],
)
def test_the_cause_follows_from_evidence(exit_code: int, stderr: str, cause: Cause) -> None:
    """Exit code and last exception decide the cause."""
    assert from_exit(exit_code, stderr).cause == cause


def test_the_last_exception_is_the_signature() -> None:
    """Of chained exceptions and later noise, the last line that names an exception is kept."""
    text = TRACEBACK.format(line="KeyError: 1") + TRACEBACK.format(line="pkg.CustomError: two") + "bye\n"
    assert signature(text) == "pkg.CustomError: two"


def test_a_signal_is_named() -> None:
    """A generator ended by a signal is reported with the signal's name."""
    assert "SIGSEGV" in from_exit(-11, "").detail
