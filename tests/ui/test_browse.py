"""`datafactory browse` in a real browser."""

import pytest
from selenium.webdriver.common.by import By

from tests.browse.shown import MARKUP, MAZE, TAR, look_at, serving
from tests.ui.pages import Page
from vbvrdatafactory.driver.browse_folder import write_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAYS = """
return [...document.querySelectorAll("video")].some(
  (video) => !video.paused && video.currentTime > 0 && video.videoWidth === 64 && video.muted);
"""
BROKEN = (
    "return [...document.images].filter((one) => one.complete && !one.naturalWidth).map((one) => one.src)"
)


def shown(browser):
    return [
        (card.get_attribute("data-generator"), card.get_attribute("data-state"))
        for card in browser.find_elements(By.TAG_NAME, "article")
        if card.is_displayed()
    ]


def test_served(browser, tmp_path):
    """A video plays, the filter leaves what was asked for, and markup in a prompt shows as text."""
    page = Page(browser)
    with serving(look_at(tmp_path)) as server:
        page.open(server.url)
        page.see("//article")
        page._wait.until(lambda browser: browser.execute_script(PLAYS), "no video plays")
        assert page.see("//p[@class='prompt']").text == MARKUP
        assert browser.title == "dataset"
        page.take_picture("browse")
        page.click("//details[@class='failed']/summary")
        assert page.see("//details[@class='failed']/pre").text == "Traceback: <b>bold</b>"
        page.click("//select[@name='state']/option[.='foreign']")
        page.click("//button[.='Show']")
        page.see("//select[@name='state']/option[.='foreign'][@selected]")
        assert set(shown(browser)) == {(MAZE, "foreign"), (TAR, "foreign")}
        assert [src for src in browser.execute_script(BROKEN) if not src.startswith("data:")] == []


def test_written(browser, tmp_path):
    """A written page plays its videos and filters what is in its folder, without a server."""
    (tmp_path / "tables").mkdir()
    write_folder(look_at(tmp_path / "tables"), tmp_path / "out", "b", 12, 0)
    page = Page(browser)
    page.open((tmp_path / "out" / "index.html").as_uri())
    page._wait.until(lambda browser: browser.execute_script(PLAYS), "no video plays")
    assert len(shown(browser)) == 13
    page.click("//select[@name='state']/option[.='torn']")
    page._wait.until(lambda browser: shown(browser) == [(MAZE, "torn")], "the filter leaves other samples")
