"""Sections into one self-contained HTML page that asks the network for nothing."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from leadline.files import atomic_path
from leadline.report.elements import Section

_SECTIONS_FOR_LINKS = 3

# The policy makes the promise binding: a browser refuses whatever is not in the page itself.
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>$title</title>
<style>
$style</style>
</head>
<body>
<header><h1>$title</h1>$subtitle$links</header>
<main>
$body
</main>
<footer>Made with Leadline</footer>
<script>
$script</script>
</body>
</html>
""")


def report_page(sections: Sequence[Section], *, title: str, subtitle: str = "") -> str:
    """The whole page; pictures, style and the script that sorts tables are inside it."""
    return _PAGE.substitute(
        title=escape(title),
        subtitle=f"<p>{escape(subtitle)}</p>" if subtitle else "",
        links=_links(sections),
        body="\n".join(section.html() for section in sections),
        style=_resource("style.css"),
        script=_resource("sort.js"),
    )


def save_page(page: str, path: Path) -> None:
    """Write a page, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _links(sections: Sequence[Section]) -> str:
    if len(sections) < _SECTIONS_FOR_LINKS:
        return ""
    links = (f'<a href="#{section.anchor}">{escape(section.title)}</a>' for section in sections)
    return f"<nav>{''.join(links)}</nav>"


def _resource(name: str) -> str:
    return files("leadline.report").joinpath(name).read_text(encoding="utf-8")
