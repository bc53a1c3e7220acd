"""The command itself: help, version, plugins, and how failures end."""

import json
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint

import click
import pytest

from vbvrdatafactory.cli import plugins

COMMANDS = ["submit", "monitor", "report", "pause", "resume", "dlq", "download", "generators"]


@pytest.mark.parametrize(
    "command", [[], *([name] for name in COMMANDS), ["dlq", "redrive"], ["generators", "list"]]
)
def test_help(run, command):
    """Every command has help with a summary and exit code 0."""
    result = run(*command, "--help")
    assert result.stdout.startswith("Usage: datafactory")
    assert result.exit_code == 0


@pytest.mark.parametrize("command", ["submit", "monitor", "report", "download"])
def test_help_has_examples(run, command):
    """Help shows the command as it is typed."""
    assert f"  datafactory {command} " in run(command, "--help").stdout


def test_help_imports_nothing_heavy(tmp_path):
    """Help, which imports every command of the project, imports no AWS client and no model."""
    program = (
        "import json, sys\n"
        "from vbvrdatafactory.cli.main import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "vbvrdatafactory.cli.submit" in loaded
    assert not {"boto3", "obstore", "pydantic", "rich", "infra.local_commands"} & set(loaded)


def test_version(run):
    """`--version` names the version that is installed."""
    assert run("--version").stdout.startswith("datafactory 0.")


@pytest.fixture
def plugin(monkeypatch):
    """Install one plugin command, `extra`, from an entry point value."""

    def install(value):
        point = EntryPoint(name="extra", value=value, group=plugins.GROUP)
        monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == plugins.GROUP else [])
        plugins._points.cache_clear()

    yield install
    plugins._points.cache_clear()


def test_plugin_runs(run, plugin, tmp_path, monkeypatch):
    """A command that another package brings shows in help with its summary, and runs."""
    (tmp_path / "some_plugin.py").write_text(
        "import click\n@click.command()\n@click.argument('word')\n"
        "def extra(word):\n    '''Say a word.'''\n    click.echo(word * 2)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugin("some_plugin:extra")
    assert "extra       Say a word." in run("--help").stdout
    assert "some_plugin" not in sys.modules
    assert run("extra", "ha").stdout == "haha\n"


@pytest.mark.parametrize("value", ["no_such_package.commands:extra", "json:dumps", "json:nothing"])
def test_broken_plugin(run, plugin, value):
    """A plugin that cannot be loaded still shows in help; running it is one line and exit code 1."""
    plugin(value)
    assert "\n  extra" in run("--help").stdout
    for args in (["extra"], ["extra", "up", "--help"]):
        result = run(*args)
        assert result.stderr.startswith(f"datafactory: the command 'extra' cannot be loaded from {value}")
        assert (len(result.stderr.splitlines()), result.exit_code) == (1, 1)


def test_checkout_brings_local(installed):
    """The checkout's `local` is among the commands of the installed script."""
    done = subprocess.run([installed, "--help"], capture_output=True, text=True, check=True)
    assert "  local " in done.stdout


def test_env_file(run, place, tmp_path, monkeypatch):
    """`--env-file` names the file that addresses are read from."""
    (tmp_path / "other.env").write_text(f"OUTPUT_BUCKET={place.config.output_bucket}\n")
    monkeypatch.delenv("OUTPUT_BUCKET")
    assert "OUTPUT_BUCKET is not set" in run("report").stderr
    assert "describes no dataset" in run("--env-file", tmp_path / "other.env", "report").stderr


def test_missing_env_file(run):
    """An `--env-file` that is not there is one line and exit code 2."""
    result = run("--env-file", "nowhere.env", "report")
    assert "'nowhere.env' does not exist" in result.stderr
    assert (len(result.stderr.splitlines()), result.exit_code) == (1, 2)


def test_unknown_command(run):
    """A command that does not exist is one line and exit code 2."""
    result = run("sumbit")
    assert result.stderr.startswith("datafactory: No such command 'sumbit'")
    assert (len(result.stderr.splitlines()), result.exit_code) == (1, 2)


def test_verbose_shows_the_traceback(run, bare):
    """With -v a failure shows its traceback, and still ends with its one line."""
    result = run("-v", "report")
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("datafactory: OUTPUT_BUCKET is not set")
    assert "Traceback" not in run("report").stderr


def test_unexpected_error_is_one_line(run, plugin, tmp_path, monkeypatch):
    """An error that nobody foresaw is one line too, with the way to its traceback."""
    (tmp_path / "falling.py").write_text("import click\n@click.command()\ndef extra():\n    1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugin("falling:extra")
    result = run("extra")
    assert "unexpected ZeroDivisionError: division by zero" in result.stderr
    assert (len(result.stderr.splitlines()), result.exit_code) == (1, 1)


def test_ctrl_c_is_quiet(run, plugin, tmp_path, monkeypatch):
    """Ctrl-C ends a command with exit code 130 and no word."""
    (tmp_path / "waiting.py").write_text(
        "import click\n@click.command()\ndef extra():\n    raise KeyboardInterrupt\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugin("waiting:extra")
    result = run("extra")
    assert (result.output.strip(), result.exit_code) == ("", 130)


def test_ctrl_c_on_the_installed_command(place, installed):
    """The installed command ends by SIGINT with exit code 130 and no traceback."""
    silent = subprocess.run(
        [sys.executable, "-c", _STALLING, installed], capture_output=True, text=True, timeout=120, check=False
    )
    assert silent.stdout.strip() == "130 ''"


_STALLING = f"""
import signal, socket, subprocess, sys, os
server = socket.create_server(("127.0.0.1", 0))
env = {{**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:%d" % server.getsockname()[1]}}
process = subprocess.Popen([sys.argv[1], "monitor"], env=env, stderr=subprocess.PIPE, text=True)
server.accept()
server.accept()
process.send_signal({int(signal.SIGINT)})
print(process.wait(), repr(process.stderr.read().strip()))
"""


def test_closed_pipe_is_quiet(place, installed):
    """A reader that goes away, as `head` does, ends the command without a word."""
    process = subprocess.Popen(
        [installed, "monitor", "--watch", "--interval", "0.2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait(120)


def test_no_colour_in_a_pipe(run, place):
    """What goes to a pipe holds no colour codes and no cut name, however long."""
    name = f"{'L-1_' + 'long_' * 30}data-generator"
    (place.generators / name / "examples").mkdir(parents=True)
    (place.generators / name / "examples" / "generate.py").write_text("")
    out = run("submit", "-g", "all", "-n", 5, "--dry-run").stdout
    assert name in out
    assert "\x1b" not in out


def test_root_is_a_click_group():
    """The command can be put under another click group."""
    from vbvrdatafactory.cli.main import cli

    assert isinstance(cli, click.Group)


@pytest.mark.parametrize(
    "broken",
    [
        "raise SystemError('The installed pydantic-core version (2.27.2) is incompatible')",
        "raise ImportError('cannot import name x')",
    ],
)
def test_packages_that_do_not_fit_together_are_one_line(broken, tmp_path):
    """A `pip install` that replaced Pydantic leaves a command that says what to do."""
    (tmp_path / "click.py").write_text(broken)
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from vbvrdatafactory.cli.start import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path, "report"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("datafactory: its packages do not fit together (")
    assert "make .venv/.ready" in done.stderr
    assert len(done.stderr.splitlines()) == 1
