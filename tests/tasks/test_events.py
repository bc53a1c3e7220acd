"""What events carry into messages and artifacts, which show it as Markdown."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from markdown_it import MarkdownIt

from tasks import events
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.run_figures import Broken, EndedEarly, Reason, RunFigures
from vbvrdatafactory.report.tallies import Tally

SAID = "![x](https://evil.example/p.png) <img src=x> <!channel> @everyone www.evil.example\n# big \x1b[31m"
PARSER = MarkdownIt("commonmark", {"html": True})
AUTOMATION = Path(__file__).parents[2] / "automations" / "notify.yaml"


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The events that were sent."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(events, "emit_event", lambda event, **rest: sent.append({"event": event, **rest}))
    return sent


def test_a_message_shows_what_was_said_and_nothing_else(emitted: list[dict[str, Any]]) -> None:
    """The template of the automation, with each event's payload: no picture, HTML, link, mention or heading."""
    broken = Broken(generator="G-1_x", cause=Cause.CRASH, detail=SAID)
    report = Report(
        dataset="spring",
        at=datetime(2026, 1, 15, tzinfo=UTC),
        generators=[Tally(generator="G-1_x", expected=4, whole=0, torn=0)],
        run=RunFigures(broken=(broken,)),
    )
    events.dataset_reported(report)
    events.generator_broken("spring", broken)
    events.queue_stalled("spring", EndedEarly(reason=Reason.STALLED, detail=SAID, next_move=SAID))
    (automation,) = yaml.safe_load(AUTOMATION.read_text())
    body = jinja2.Environment(autoescape=False).from_string(
        automation["actions"][0]["body"].partition("{{ event.occ")[0]
    )
    assert len(emitted) == 3
    for sent in emitted:
        event = {
            "event": sent["event"],
            "payload": sent["payload"],
            "resource": {"id": "vbvr.dataset.spring"},
        }
        shown = body.render(event=event)
        assert "evil.example" in shown
        for markup in ("<", "://", "www.", "@e", "\x1b", "\n#"):
            assert markup not in shown
        page = PARSER.render(shown)
        assert not any(tag in page for tag in ("<img", "<a ", "<h1"))
