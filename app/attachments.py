"""Files that staff take away: a name that every browser takes, and never shown as a page."""

from collections.abc import Sequence
from urllib.parse import quote

from flask import Response

from app.spreadsheets.writing import Sheet, csv_bytes, file_name, xlsx

FORMS = ("csv", "xlsx")
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BYTES = "application/octet-stream"


def attachment(sheets: Sequence[Sheet], form: str, title: str, plain: str) -> Response:
    """Return sheets as a file; CSV holds the first alone.

    `title` names the file in any script; `plain` is ASCII, for who cannot read that (RFC 6266).
    """
    is_csv = form == "csv"
    content = csv_bytes(sheets[0]) if is_csv else xlsx(sheets)
    kind = "text/csv; charset=utf-8" if is_csv else _XLSX
    return _named(Response(content, content_type=kind), form, title, plain)


def json_attachment(content: str, title: str, plain: str) -> Response:
    """Return JSON as a file; names as for `attachment`."""
    response = Response(content, content_type="application/json")
    return _named(response, "json", title, plain)


def stored_attachment(content: bytes, form: str, title: str, plain: str) -> Response:
    """Return what somebody handed in, as bytes that no browser opens by itself."""
    return _named(Response(content, content_type=_BYTES), form, title, plain)


def _named(response: Response, form: str, title: str, plain: str) -> Response:
    names = {
        "filename": f"{plain}.{form}",
        "filename*": f"UTF-8''{quote(f'{file_name(title)}.{form}', safe='')}",
    }
    response.headers.set("Content-Disposition", "attachment", **names)
    return response
