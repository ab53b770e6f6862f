"""Writing TOML: Python reads it, and writes none.

Only what rubric files hold: texts, whole numbers, yes and no, lists and tables. The order of keys
stays, because that of a checklist's parts is shown.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def dump(document: Mapping[str, Any]) -> str:
    """Return a document as TOML; `tomllib` reads the same document from it."""
    return "\n".join(_lines(document, "")).strip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: str) -> Iterator[str]:
    # What fits in a line comes first: below a heading every line would belong to that heading.
    for key, value in table.items():
        if _is_short(value):
            yield f"{_key(key)} = {_short(value)}"
    for key, value in table.items():
        if not _is_short(value):
            yield from _headed(value, f"{path}.{_key(key)}" if path else _key(key))


def _headed(value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - a value of a document
    if isinstance(value, Mapping):
        yield from ("", f"[{path}]", *_lines(value, path))
        return
    for entry in value:
        yield from ("", f"[[{path}]]", *_lines(entry, path))


def _is_short(value: Any) -> bool:  # noqa: ANN401 - a value of a document
    match value:
        case Mapping():
            return all(map(_is_plain, value.values()))
        case list() | tuple():
            return all(_is_plain(one) or _is_short_table(one) for one in value)
        case _:
            return True


def _is_short_table(value: Any) -> bool:  # noqa: ANN401 - a value of a document
    return isinstance(value, Mapping) and _is_short(value)


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - a value of a document
    return isinstance(value, str | int)


def _short(value: Any) -> str:  # noqa: ANN401 - a value of a document
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return _text(value)
        case Mapping():
            inner = ", ".join(f"{_key(key)} = {_short(one)}" for key, one in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case _ if any(isinstance(one, Mapping) for one in value):
            return "[\n" + "".join(f"  {_short(one)},\n" for one in value) + "]"
        case _:
            return f"[{', '.join(map(_short, value))}]"


def _key(key: str) -> str:
    return key if PLAIN_KEY.fullmatch(key) else _text(key)


def _text(value: str) -> str:
    # The escapes of JSON are escapes of TOML, which forbids one sign more.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
