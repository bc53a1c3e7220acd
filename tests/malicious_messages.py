"""Bodies that a hostile or careless sender might put into the queue; none may run anything or reach outside.

`BODIES` has each with what the failure must say. All of them name `GENERATOR`, where they can, which would make its mark.
"""

import json

GENERATOR = "T-never_runs"
_GOOD = {"type": GENERATOR, "num_samples": 2, "seed": 1}


def _body(**fields: object) -> str:
    return json.dumps({**_GOOD, **fields})


def _raw(fields: str) -> str:
    return f'{{"type": "{GENERATOR}", "num_samples": 2, "seed": 1, {fields}}}'


_PATHS = [
    "a/b",
    "../x",
    "..",
    ".",
    "/etc/passwd",
    "a\\b",
    "-rf",
    "~",
    ".hidden",
    "_task",
    "",
    " a",
    "a ",
    "a.",
]
_TEXT = [
    "a\x00b",
    "a\nb",
    "\x1b[2J",
    "\u202egnp",
    "\uff0e\uff0e\uff0fx",
    "é",
    "$(touch x)",
    "<img src=x>",
    "x" * 10_000,
]
_BUCKETS = [
    "a",
    "../../etc",
    "a/b/c",
    "abc?x=1",
    "A_B",
    "http://evil.example",
    "x" * 64,
    "a..b",
    "abc\n",
    "-abc",
    "arn:aws:s3:::x",
]
_NO_INTEGERS = [
    '"1"',
    "true",
    "null",
    "1.0",
    "1e3",
    "1e400",
    "NaN",
    "Infinity",
    "-1",
    "[]",
    "{}",
    "1" * 400,
    "1" * 5000,
]

BODIES: dict[str, tuple[str, str]] = {
    **{f"type-{n}": (_body(type=name), "type: ") for n, name in enumerate([*_PATHS, *_TEXT])},
    **{f"dataset-{n}": (_body(dataset=name), "dataset: ") for n, name in enumerate([*_PATHS, *_TEXT])},
    **{f"bucket-{n}": (_body(output_bucket=name), "output_bucket: ") for n, name in enumerate(_BUCKETS)},
    **{
        f"{field}-{n}": (json.dumps({**_GOOD, field: "@"}).replace('"@"', value), "")
        for field in ("num_samples", "start_index", "salt", "python_hash_seed", "schema_version")
        for n, value in enumerate(_NO_INTEGERS)
        if not (value == "null" and field == "python_hash_seed")
        and not (value == "1" * 400 and field == "schema_version")
    },
    "surrogate": (_raw(r'"dataset": "\ud800"'), "dataset: "),
    "surrogate-field": (_raw(r'"\ud800": 1'), ""),
    "control-field": (_raw(r'"\u001b[2J<b>\n": 1'), ""),
    "long-field": (_raw(f'"{"y" * 10_000}": 1'), ""),
    "misspelt": (_body(sart_index=4), "sart_index: "),
    "twice": (_raw('"num_samples": 3'), "'num_samples' is said twice"),
    "twice-inside": (_raw('"require": {"a": 1, "a": 2}'), "'a' is said twice"),
    "huge-count": (_body(num_samples=10**12), "num_samples: "),
    "huge-start": (_body(start_index=2**31), "start_index: "),
    "huge-salt": (_body(salt=10**30), "salt: "),
    "many-indices": (_body(only_indices=[0] * 100_000), "only_indices: "),
    "foreign-index": (_body(only_indices=[7]), "outside the batch"),
    "no-index": (_body(only_indices=[True]), "only_indices"),
    "require-path": (_body(require=["../../x"]), "no sample has a file"),
    "format": (_body(output_format="zip; rm -rf /"), "output_format: "),
    "dedup": (_body(dedup=True), "dedup: "),
    "deep-lists": ("[" * 100_000, "nested too deeply"),
    "deep-objects": ('{"type":' * 100_000, "nested too deeply"),
    "deep-inside": (_raw('"require": ' + "[" * 5000 + "]" * 5000), "nested too deeply"),
    "list": (f"[{_body()}]", "body: "),
    "string": (json.dumps(_body()), "body: "),
    "nothing": ("null", "body: "),
    "no-json": ("{type: G}", "body: "),
    "cut": (_body()[:-1], "body: "),
    "code": ("__import__('os').system('touch x')", "body: "),
    "an-event": (json.dumps({"Records": [{"body": _body()}]}), ""),
}
