"""The Django example's admin as a person sees it: in a real browser, with its style, its filters and its buttons."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from .test_django_app import Shop

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--window-size=1500,1000",
)  # fmt: skip
"""It looks for nothing but the page it is asked for."""

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER) and os.environ.get("CI") != "true",
    reason="no browser is installed (Debian: apt-get install chromium chromium-driver)",
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, "runserver", DEBUG="1", DJANGO_SUPERUSER_PASSWORD="open sesame")
    made.manage("createsuperuser", "--noinput", "--username", "ada", "--email", "ada@example.com")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def page(shop: Shop, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A browser, logged in."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or "chromium"
    for word in (*QUIET, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(word)
    page = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    page.implicitly_wait(10)
    page.get(f"http://127.0.0.1:{shop.port}/admin/hookcatch/event/")
    page.find_element(By.NAME, "username").send_keys("ada")
    page.find_element(By.NAME, "password").send_keys("open sesame")
    page.find_element(By.CSS_SELECTOR, "[type=submit]").click()
    yield page
    page.quit()


def texts(page: webdriver.Chrome, selector: str) -> list[str]:
    return [found.text for found in page.find_elements(By.CSS_SELECTOR, selector)]


def do(page: webdriver.Chrome, action: str) -> str:
    """Tick the one event that is listed, and have an action done; answers what the page says."""
    page.find_element(By.CSS_SELECTOR, "input.action-select").click()
    Select(page.find_element(By.NAME, "action")).select_by_value(action)
    page.find_element(By.CSS_SELECTOR, "button[name=index]").click()
    return page.find_element(By.CSS_SELECTOR, ".messagelist").text


def test_a_person_finds_a_parked_event_reads_it_replays_it_and_gives_it_up(shop: Shop, page: Any):
    evil = "<script>document.title = 'owned'</script>"
    wrong = shop.source.sign("order.created", {"id": "o_1", "total": evil}, id="evt_1")
    assert [shop.post(shop.order("o_2")), shop.post(wrong)] == [200, 200]
    shop.wait_for(lambda: shop.orders().total() == 1)
    page.refresh()

    def colour_of_the_header() -> str:
        return str(page.find_element(By.ID, "header").value_of_css_property("background-color"))

    assert colour_of_the_header() not in {"rgba(0, 0, 0, 0)", "transparent"}, "the example serves no styles"
    page.find_element(By.LINK_TEXT, "invalid").click()
    assert texts(page, ".field-state") == ["invalid"]
    page.find_element(By.CSS_SELECTOR, ".field-seq a").click()
    assert evil in page.find_element(By.CSS_SELECTOR, ".field-payload").text
    assert "total" in page.find_element(By.CSS_SELECTOR, ".field-why").text
    assert "owned" not in page.title
    page.back()
    assert do(page, "replay") == "Replayed: 1."
    shop.wait_for(lambda: [page.refresh(), texts(page, ".field-state")][1] == ["invalid"])
    assert do(page, "discard") == "Discarded: 1."
    page.get(page.current_url.partition("?")[0])
    assert sorted(texts(page, ".field-state")) == ["discarded", "succeeded"]
    page.find_element(By.LINK_TEXT, "2").click()
    page.find_element(By.LINK_TEXT, "HISTORY").click()
    assert len(texts(page, "#change-history tbody tr")) == 2
    assert "owned" not in page.title
