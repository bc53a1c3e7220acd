"""The card of a release, as a browser shows it."""

from pathlib import Path

import markdown
import pytest
from obstore.store import LocalStore
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.release import folders
from vbvrdatafactory.core.contract import PROMPT
from vbvrdatafactory.driver.release_card import describe

pytestmark = pytest.mark.browser

# What GitHub and the Hub show Markdown with, as far as the card depends on it.
STYLE = """
body {font: 16px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 24px auto; color: #1f2937}
table {border-collapse: collapse} th, td {border: 1px solid #d1d5db; padding: 6px 10px; text-align: left; vertical-align: top}
th {background: #f3f4f6} code {background: #f3f4f6; border-radius: 4px; padding: 1px 4px} h2 {border-bottom: 1px solid #e5e7eb}
pre {background: #f3f4f6; padding: 10px; border-radius: 6px; overflow: auto} pre code {padding: 0} td img {margin: 2px}
td:first-child {min-width: 340px}
"""


def page_of(folder: Path) -> str:
    """The card as a page beside it; returns its address."""
    _, _, text = (folder / "README.md").read_text().split("---\n", 2)
    text = text.replace("<details>", '<details markdown="1">')
    body = markdown.markdown(text, extensions=["tables", "fenced_code", "md_in_html", "sane_lists"])
    page = folder / "card.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>card</title><style>{STYLE}</style>{body}")
    return page.as_uri()


def test_each_generator_is_seen_and_no_stranger_runs_a_script(
    tmp_path: Path, browser: webdriver.Chrome
) -> None:
    """Both pictures of each generator are shown, and markup in prompts is text: it adds no element and runs nothing."""
    hostile = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\"> | ![a](b.png) </td></table>"
    given = [
        sample._replace(files={**sample.files, PROMPT: hostile.encode()})
        for sample in folders.samples(each=2)
    ]
    folders.write(tmp_path, given)
    describe(LocalStore(tmp_path))
    browser.get(page_of(tmp_path))
    widths = browser.execute_script("return [...document.images].map(image => image.naturalWidth)")
    assert widths == [32] * 12
    assert browser.title == "card"
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 0
    assert "<script>" in browser.find_element(By.TAG_NAME, "body").text
