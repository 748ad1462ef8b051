"""A link that leads nowhere is found; code that looks like one is not taken for it."""

from pathlib import Path

import pytest

from gate.docs import anchors, broken_links, links

pytestmark = pytest.mark.unit


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def test_every_form_of_link_is_seen_with_its_line() -> None:
    text = 'a [b](c.md "title")\n![d](e.png)\n[f]: g.md\n<a href="h.md">\n[![badge](i.svg)](j.md)\n'
    assert sorted(links(text)) == [
        (1, "c.md"),
        (2, "e.png"),
        (3, "g.md"),
        (4, "h.md"),
        (5, "i.svg"),
        (5, "j.md"),
    ]


def test_code_is_no_link_and_lines_keep_their_numbers() -> None:
    text = "`[a](b.md)`\n```python\nx[0](y)\n```\n~~~\n[c](d)\n~~~\n[e](f.md)\n"
    assert list(links(text)) == [(8, "f.md")]


def test_anchors_follow_the_headings() -> None:
    text = "# One `code` & two!\n## Same\n## Same\n## [Link](x.md) here ##\n```sh\n# a comment\n```\n"
    assert anchors(text) == {"one-code--two", "same", "same-1", "link-here"}


def test_broken_links_are_named_by_what_is_wrong(tmp_path: Path) -> None:
    root = tmp_path / "clone"
    write(tmp_path, "outside.md", "")
    write(root, "docs/other file.md", "# There\n")
    page = write(
        root,
        "docs/page.md",
        "[ok](other%20file.md#there) [ok](#here) [ok](https://example.org/x) [ok](mailto:a@b.c)\n"
        "# Here\n[gone](gone.md)\n[no heading](other%20file.md#nowhere)\n"
        "[no heading](#gone)\n[out](../../outside.md)\n",
    )
    assert broken_links(page, root) == [
        "docs/page.md:3: gone.md does not exist",
        "docs/page.md:4: other%20file.md#nowhere has no such heading",
        "docs/page.md:5: #gone has no such heading",
        "docs/page.md:6: ../../outside.md leads out of the repository",
    ]
