"""The pages of the Prefect UI as a person uses them: by the words on them."""

import os
import time
from pathlib import Path

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

# On a busy machine; a page itself takes two or three.
# A bound on what would hang: a busy machine takes many times what an idle one does.
PATIENCE_SECONDS = 300
# Where pictures go, if somebody wants them: those in docs/pictures were taken so.
PICTURES = os.environ.get("UI_PICTURES")


class Page:
    """What the browser shows."""

    def __init__(self, browser: Chrome) -> None:
        self._browser = browser
        self._wait = WebDriverWait(
            browser, PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException]
        )

    def open(self, address: str) -> None:
        self._browser.get(address)

    def sign_in(self, server: str, code: str) -> None:
        """Open the link that `make up` prints, up to the page that it leads to."""
        self.open(f"{server}/sign-in#{code}")
        self._wait.until(lambda browser: "/sign-in" not in browser.current_url, "still at the door")

    def see(self, xpath: str) -> WebElement:
        """The first such element, as soon as there is one."""
        return self._wait.until(
            lambda browser: next(iter(browser.find_elements(By.XPATH, xpath)), None), f"no {xpath}"
        )

    def click(self, xpath: str) -> None:
        self._wait.until(lambda _: self._clicked(xpath), f"no {xpath} to click")

    def _clicked(self, xpath: str) -> bool:
        self.see(xpath).click()
        return True

    def fill(self, field: str, value: str) -> None:
        """Replace what stands in the field with this name."""
        named = self.see(f"//label[starts-with(., '{field} ')]").get_attribute("for")
        self._type(self.see(f"//*[@id='{named}']"), value)

    def choose(self, these: list[str]) -> None:
        """In the searchable list, take these in, each found by its search."""
        self.click("//button[@aria-label='Select From the list']")
        for name in these:
            self._type(self.see("//input[@placeholder='Search...']"), name)
            self.click(f"//*[@role='option' and normalize-space()='{name}']")
        self.see("//input[@placeholder='Search...']").send_keys(Keys.ESCAPE)

    def _type(self, field: WebElement, value: str) -> None:
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(value)

    def take_picture(self, name: str, *, afresh: bool = False) -> None:
        """One for the documents; `afresh` without what popped up before."""
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            if afresh:
                self._browser.refresh()
                time.sleep(5)  # it draws the graph of the run bit by bit
            self._browser.save_screenshot(f"{PICTURES}/{name}.png")
