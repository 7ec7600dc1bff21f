"""The pages in a real browser: nothing fails, nothing is fetched, nothing sticks out."""

from __future__ import annotations

import pytest

from frcnn_cli.evaluation.report.html import render_comparison, render_report
from support.browser import open_page, requests
from support.reports import comparison, report

pytestmark = pytest.mark.slow

PARTS = ("top", "errors", "classes", "curves", "scores", "reliability", "sizes", "confusion")
SECTIONS = {
    "report": [*PARTS, "misses", "false-positives"],
    "comparison": ["top", "classes", "errors"],
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    made = {"report": render_report(*report()), "comparison": render_comparison(*comparison())}
    for name, html in made.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return folder


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_as_people_see_it(browser, pages, name, width, dark):
    open_page(browser, pages / f"{name}.html", width=width, dark=dark)
    run = browser.execute_script
    assert browser.get_log("browser") == []
    assert requests(browser) == []
    assert run("return innerWidth") == width
    # Nothing sticks out of the page; wide tables scroll in their own boxes.
    assert run("return document.documentElement.scrollWidth") <= width
    missing = run("return arguments[0].filter(id => !document.getElementById(id))", SECTIONS[name])
    assert missing == []
    links = run("return [...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))")
    assert set(links) <= set(SECTIONS[name])
    broken = run(
        "return [...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length"
    )
    assert broken == 0
    assert run("return document.images.length") == (6 if name == "report" else 0)
    assert run("return [...document.images].every(i => i.alt.length > 5)")
    assert run("return document.scripts.length") == 0
    # Every drawing has a height and a name, every table heads for its rows and columns.
    assert run("return [...document.querySelectorAll('svg')].every(s => s.clientHeight > 10)")
    assert run("return [...document.querySelectorAll('svg')].every(s => s.ariaLabel)")
    assert run(
        "return [...document.querySelectorAll('table')].every("
        "t => t.querySelector('thead th[scope=col]') && t.querySelector('tbody th[scope=row]'))"
    )


CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
function rgba(css) {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
  const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255];
}
function over(top, under) {
  return [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
}
function ground(element) {
  const stack = [];
  for (let e = element; e; e = e.parentElement)
    stack.push(rgba(getComputedStyle(e).backgroundColor));
  return stack.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
}
function luminance(c) {
  const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(
    v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const faint = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  const text = walker.currentNode.textContent.trim();
  if (!text || element.closest('svg title') || element.closest('.zero')) continue;
  if (element.closest('.skip')) continue;
  const style = getComputedStyle(element);
  const under = ground(element.closest('svg') ? element.closest('svg').parentElement : element);
  const ink = over(rgba(element.closest('svg') ? style.fill : style.color), under);
  const [a, b] = [luminance(ink), luminance(under)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) faint.push([text, ratio]);
}
return faint;
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", SECTIONS)
def test_all_text_can_be_read(browser, pages, name, dark):
    """WCAG AA: every text stands out from its ground by 4.5 to 1."""
    open_page(browser, pages / f"{name}.html", width=1200, dark=dark)
    assert browser.execute_script(CONTRAST) == []
