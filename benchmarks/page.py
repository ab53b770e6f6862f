"""The residents' page as a browser sees it: its bytes, its requests, and a full form's body."""

import gzip
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode

from benchmarks.server import fetch

_LOADED_BY_SRC = {"audio", "embed", "iframe", "img", "input", "script", "source", "track", "video"}
_LOADED_BY_HREF = {"image", "link", "use"}
_OTHER = {("object", "data"), ("video", "poster"), ("img", "srcset"), ("source", "srcset")}
_IN_STYLE = re.compile(r"@import|url\(\s*[\"']?(?!data:)")


@dataclass(frozen=True, slots=True)
class PageSize:
    """What one view costs a phone, and what sending every answer costs it (bytes)."""

    identity: int
    compressed: int
    head: int
    requests: int
    questions: int
    body: int
    answers: str


class PageReader(HTMLParser):
    """Collects what a browser would load with a page, and what its form offers."""

    def __init__(self) -> None:
        super().__init__()
        self.resources: list[str] = []
        self.hidden: dict[str, str] = {}
        self.options: dict[str, str] = {}
        self.multiple: dict[str, list[str]] = {}
        self.end = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note resources and fields."""
        found = {name: value or "" for name, value in attrs}
        self.resources += [value for name, value in found.items() if _loads(tag, name, value)]
        if _IN_STYLE.search(found.get("style", "")):
            self.resources.append("style attribute")
        if tag == "input":
            self._note_field(found)
        elif tag == "button" and "name" in found:
            self.hidden[found["name"]] = found.get("value", "")

    def handle_data(self, data: str) -> None:
        """Note what a style sheet inside the page would load."""
        if self.lasttag == "style":
            self.resources += _IN_STYLE.findall(data)

    def _note_field(self, field: dict[str, str]) -> None:
        name, value = field.get("name", ""), field.get("value", "")
        match field.get("type"):
            case "hidden":
                self.hidden[name] = value
            case "radio":
                self.options.setdefault(name, value)
            case "checkbox":
                self.multiple.setdefault(name, []).append(value)


def measure_page(port: int, path: str) -> PageSize:
    """Fetch one page as a browser does and weigh it; the full body ticks every checkbox."""
    identity, _head = fetch(port, path, {"Accept-Encoding": "identity"})
    packed, head = fetch(port, path, {"Accept-Encoding": "gzip"})
    reader = PageReader()
    reader.feed(gzip.decompress(packed).decode())
    answers = urlencode(
        [*reader.options.items()]
        + [(name, value) for name, values in reader.multiple.items() for value in values]
    )
    body = f"{urlencode(reader.hidden)}&{answers}"
    return PageSize(
        identity=len(identity),
        compressed=len(packed),
        head=head,
        requests=1 + len(reader.resources),
        # Who fills the form in is asked too, but is no question of the survey.
        questions=len(reader.options.keys() - {"_by"}) + len(reader.multiple),
        body=len(body),
        answers=answers,
    )


def _loads(tag: str, name: str, value: str) -> bool:
    loads = (
        (tag in _LOADED_BY_SRC and name == "src")
        or (tag in _LOADED_BY_HREF and name in {"href", "xlink:href"})
        or (tag, name) in _OTHER
    )
    return loads and not value.startswith("data:")
