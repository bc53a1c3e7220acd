"""What a generator's source says about its options, its clocks, its chance and its temp files. Nothing is run."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from vbvrdatafactory.core.contract import ENTRY_POINT
from vbvrdatafactory.core.parsing import parse_python
from vbvrdatafactory.fleet.imports import Import, read_source

_CLOCK = re.compile(r"(^|\.)(time\.time(_ns)?|datetime\.(now|utcnow|today)|date\.today)$")
_CHANCE = re.compile(r"(^|\.)(uuid[14]?\.uuid[14]|uuid[14]|os\.urandom|urandom|SystemRandom|secrets\.\w+)$")
# Without an argument these take their seed from the system.
_UNSEEDED = re.compile(r"(^|\.)(default_rng|RandomState|random\.Random|random\.seed)$")
_TEMP = re.compile(r"^(/tmp|/var/tmp)(/|$)")
_GETTEMPDIR = re.compile(r"(^|\.)gettempdir$")


@dataclass
class Facts:
    """What the source says; every place is ``file:line``.

    Args:
        nested: folders deeper down that hold an entry point.
        options: places of its options, by their names.
        required: places of options and arguments of its own that it does not run without, by their names.
        clock, chance, hashes: places that read the clock, draw numbers without a seed, hash text.
        temp: places that ask for the temp folder, or name it.
        fixed: those that name it.
        optional: modules that it goes on without.
        broken: files that are no Python, with the reason.
    """

    nested: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    required: dict[str, str] = field(default_factory=dict)
    clock: list[str] = field(default_factory=list)
    chance: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    temp: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    optional: list[Import] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)


def read_facts(folder: Path) -> Facts:
    """What the source of the generator in `folder` says, as its script leads to it."""
    if not (folder / ENTRY_POINT).is_file():
        deeper = sorted(path.parents[1].relative_to(folder) for path in folder.rglob(str(ENTRY_POINT)))
        return Facts(nested=tuple(map(str, deeper)))
    facts, source = Facts(), read_source(folder)
    facts.optional = [found for found in source.imports.values() if found.is_optional]
    for path in source.files:
        name = str(path.relative_to(folder.resolve()))
        try:
            tree = parse_python(path.read_bytes())
        except SyntaxError as error:
            facts.broken[name] = str(error)
            continue
        for node in ast.walk(tree):
            _take(facts, node, name)
    return facts


def _take(facts: Facts, node: ast.AST, file: str) -> None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _TEMP.match(node.value):
        facts.temp.append(f"{file}:{node.lineno}")
        facts.fixed.append(f"{file}:{node.lineno}")
    if not isinstance(node, ast.Call):
        return
    called, place = _dotted(node.func), f"{file}:{node.lineno}"
    for kind, pattern in ((facts.clock, _CLOCK), (facts.chance, _CHANCE), (facts.temp, _GETTEMPDIR)):
        if pattern.search(called):
            kind.append(place)
    if called == "hash":
        facts.hashes.append(place)
    if _UNSEEDED.search(called) and not node.args and not node.keywords:
        facts.chance.append(place)
    _take_option(facts, node, called, place)


def _take_option(facts: Facts, node: ast.Call, called: str, place: str) -> None:
    names = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    options = [name for name in names if name.startswith("-")]
    for name in options:
        facts.options.setdefault(name, place)
    if called.rpartition(".")[2] not in {"add_argument", "option", "argument"} or not names:
        return
    said = {word.arg: word.value for word in node.keywords}
    demanded = _is_true(said.get("required"))
    if not options:
        nargs = said.get("nargs")
        demanded = (
            not (isinstance(nargs, ast.Constant) and nargs.value in {"?", "*"}) and "default" not in said
        )
    if demanded:
        facts.required.setdefault((options or names)[-1], place)


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _dotted(node: ast.expr) -> str:
    """The name that is called, as in ``np.random.default_rng``."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "")
    return ".".join(reversed(parts))
