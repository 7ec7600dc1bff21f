"""The pages as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from frcnn_cli.evaluation.report.html import render_comparison, render_report
from support.reports import NASTY, comparison, picture, report

VOID = {"meta", "link", "img"}


class Markup(HTMLParser):
    """Fails where a tag is closed that is not the open one; notes ids and addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for key, value in attrs if key == "id"]
        self.addresses += [value for key, value in attrs if key in ("src", "href", "srcset")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """A report and a comparison; drawing their charts takes most of a second."""
    return {
        "report": render_report(*report()),
        "comparison": render_comparison(*comparison()),
    }


@pytest.mark.parametrize("kind", ["report", "comparison"])
def test_markup_is_whole_and_loads_nothing(pages, kind):
    html = pages[kind]
    parser = Markup()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert all(each.startswith(("data:", "#")) for each in parser.addresses)
    assert not re.search(r"url\(|@import|<script", html)
    # Names from outside are text.
    assert NASTY not in html
    assert "&lt;script&gt;" in html


def test_numbers_are_written_as_people_read_them(pages):
    html = pages["report"]
    assert "0.400 – 0.600" in html
    assert "1,345" in html
    assert "+0.034" in html
    assert ">0.000<" in html  # no gain has no sign


def test_a_worse_detector_has_a_minus(pages):
    assert "−0.012" in pages["comparison"]


def test_a_page_without_pictures_has_no_galleries():
    html = render_report(*report(["cat"], pictures=0))
    assert "Worst misses" not in html
    assert 'href="#misses"' not in html


@pytest.mark.slow
def test_of_many_classes_the_confused_ones_are_shown():
    html = render_report(*report([f"class {i}" for i in range(40)]))
    assert "Of 41 classes the 30 that are confused most are shown." in " ".join(html.split())


@pytest.mark.parametrize(
    ("width", "height"), [(500, 375), (40, 900), (900, 40), (1, 1), (4000, 3000)]
)
def test_a_thumbnail_is_small(width, height):
    made = picture(width=width, height=height)
    assert 1 <= made.width <= 320
    assert 1 <= made.height <= 240
    # Seventy-two of them, noise as these are, stay within four megabytes of text.
    assert len(made.source) < 54_000
