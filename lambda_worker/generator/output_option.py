"""How a generator's script calls its options, read from its source in a millisecond instead of running it."""

import ast
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lambda_worker.failure import BatchFailed, from_exit
from lambda_worker.generator import launch, processes
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.parsing import parse_python

# In the order of preference where a script knows both.
OUTPUT_OPTIONS = ("--output-dir", "--output")
_HELP_SECONDS = 60


def output_option(script: Path, interpreter: Path, environment: Mapping[str, str]) -> str:
    """The option by which `script` takes its output folder.

    Raises:
        BatchFailed: neither its source nor its ``--help`` names one.
    """
    declared = declared_options(script.read_text(encoding="utf-8", errors="replace"))
    for option in OUTPUT_OPTIONS:
        if option in declared:
            return option
    return _ask(script, interpreter, environment)


def declared_options(source: str) -> set[str]:
    """Option names that stand as first arguments of calls in `source`, as ``add_argument("--x")`` has them.

    >>> sorted(declared_options('p.add_argument("-o", "--output", default="x")'))
    ['--output', '-o']
    """
    try:
        tree = parse_python(source)
    except SyntaxError:
        return set()
    return {
        argument.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for argument in node.args
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and argument.value[:1] == "-"
    }


def _ask(script: Path, interpreter: Path, environment: Mapping[str, str]) -> str:
    command = [str(interpreter), str(script), "--help"]
    process = launch.run(command, cwd=script.parent.parent, environment=environment)
    try:
        out, err = process.communicate(timeout=_HELP_SECONDS)
    except subprocess.TimeoutExpired:
        raise BatchFailed(Cause.DEADLINE, f"{script.name} --help took over {_HELP_SECONDS} s") from None
    finally:
        process.kill()
        process.wait()
        processes.ended(process.pid)
    text = out.decode(errors="replace")
    for option in OUTPUT_OPTIONS:
        if option in text.split() or f"{option} " in text:
            return option
    if process.returncode:
        raise from_exit(process.returncode, err[-4000:].decode(errors="replace"))
    raise BatchFailed(Cause.CRASH, f"{script.name} has neither {' nor '.join(OUTPUT_OPTIONS)} in its --help")
