"""The page of detections: whole or not at all, and as people use it in a real browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.page import PAGE, open_page, require_page_folder
from frcnn_cli.errors import FrcnnError
from frcnn_cli.records import DetectedImage, Detections, as_boxes
from support.browser import open_page as browse
from support.browser import requests
from support.datasets import write_image

CLASSES = ("cat", "<b>dog</b>")
NAMES = ("a.jpg", "<script>alert(1)</script>.jpg", "c.jpg")
SCORES = ((0.9, 0.3), (0.6,), ())
"""Of the first a cat and a dog, of the second a dog."""


def detections(scores: tuple[float, ...]) -> Detections:
    boxes = as_boxes([(10, 20, 30, 40)] * len(scores))
    labels = np.array([1, 2][-len(scores) or 2 :], np.int64)
    return Detections(boxes, np.array(scores, np.float32), labels)


def write_page(folder: Path, fails: bool = False) -> None:
    pixels = np.full((300, 400, 3), 120, np.uint8)
    image = ImageInput(None, pixels)
    with open_page(folder, len(NAMES), CLASSES, scores=(0.05, 0.5)) as show:
        for name, scores in zip(NAMES, SCORES, strict=True):
            show(image, DetectedImage(name, 400, 300, 9, detections(scores)), pixels)
            if fails:
                raise RuntimeError


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    page = tmp_path / "page" / PAGE
    with pytest.raises(RuntimeError):
        write_page(page.parent, fails=True)
    assert not list(page.parent.iterdir())
    write_page(page.parent)
    assert page.read_text("utf-8").count("<figure>") == 3
    assert page.read_text("utf-8").rstrip().endswith("</html>")
    with pytest.raises(RuntimeError):
        write_page(page.parent, fails=True)
    assert page.read_text("utf-8").count("<figure>") == 3
    assert [file.name for file in page.parent.iterdir()] == [PAGE]


def test_only_a_page_of_its_own_is_written_over(tmp_path: Path) -> None:
    write_page(tmp_path / "page")
    require_page_folder(tmp_path / "page")
    require_page_folder(tmp_path / "new")
    (tmp_path / PAGE).write_text("<title>mine</title>")
    with pytest.raises(FrcnnError, match=r"holds an index\.html that is not from frcnn detect"):
        require_page_folder(tmp_path)
    with pytest.raises(FrcnnError, match="is not a folder"):
        require_page_folder(write_image(tmp_path / "a.jpg"))


@pytest.mark.slow
def test_people_filter_and_step_through_the_images(browser, tmp_path: Path) -> None:
    write_page(tmp_path)
    browse(browser, tmp_path / PAGE, width=1200)
    run = browser.execute_script
    by = pytest.importorskip("selenium.webdriver.common.by").By.CSS_SELECTOR
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    body = browser.find_element(by, "body")

    def title() -> str:
        return run("return document.querySelector('h1').textContent")

    assert title() == "2 boxes in 2 of 3 images"
    chips = browser.find_elements(by, ".classes button")
    assert [chip.text.split() for chip in chips] == [["<b>dog</b>", "1"], ["cat", "1"]]
    body.send_keys("---")
    assert title() == "2 boxes in 2 of 3 images"
    body.send_keys("-----")
    assert title() == "3 boxes in 2 of 3 images"
    chips[0].click()
    assert title() == "1 box in 1 of 3 images"
    assert chips[0].get_attribute("aria-pressed") == "false"
    chips[0].click()
    # A figure opens at full size; the keys go on from there and back.
    shown = "const page = document, dialog = page.querySelector('dialog');"
    shown += "return dialog.open && dialog.querySelector('.caption').textContent"
    browser.find_elements(by, "figure button")[0].click()
    assert run(shown) == "a.jpg (1 of 3)2 boxes"
    browser.switch_to.active_element.send_keys(keys.ARROW_RIGHT)
    assert run(shown) == f"{NAMES[1]} (2 of 3)1 box"
    browser.switch_to.active_element.send_keys(keys.ARROW_LEFT, keys.ARROW_LEFT)
    assert run(shown) == "c.jpg (3 of 3)0 boxes"
    browser.switch_to.active_element.send_keys(keys.ESCAPE)
    assert run(shown) is False
    focused = "return document.activeElement.getAttribute('aria-label')"
    wait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait(browser, timeout=60)
    wait.until(lambda _: run(focused) == "c.jpg: full size")  # a dialog's "close" comes later
    # A box is where it is in the image, whatever the size: 10 of 400 from the left.
    left = (
        "const [image, box] = ['image', 'g rect'].map("
        "s => document.querySelector('figure svg ' + s).getBoundingClientRect());"
        "return (box.left - image.left) / image.width"
    )
    assert run(left) == pytest.approx(0.025, abs=0.005)
    assert browser.get_log("browser") == []
    assert requests(browser) == []
    for width, dark in ((400, True), (1200, True)):
        browse(browser, tmp_path / PAGE, width=width, dark=dark)
        assert run("return document.documentElement.scrollWidth") <= width
