"""``CHANGELOG.md`` of a release, and the text of a change."""

from collections.abc import Sequence

from vbvrdatafactory.core.escaping import for_markdown
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.release.manifest import Change


def changelog(name: str, changes: Sequence[Change]) -> str:
    """What each revision changed and why, the latest first."""
    parts = [f"# Changes of {for_markdown(name)}"]
    parts += [
        f"## Revision {change.revision}, {change.at:%Y-%m-%d}\n\n"
        f"{for_markdown(change.why)} ({format_count(change.samples, 'sample')})"
        for change in sorted(changes, key=lambda change: -change.revision)
    ]
    return "\n\n".join(parts) + "\n"
