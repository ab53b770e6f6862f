"""Files that staff take away: a name that every browser takes, and never shown as a page."""

from collections.abc import Sequence
from urllib.parse import quote

from flask import Response

from app.spreadsheets.writing import Sheet, csv_bytes, file_name, xlsx

FORMS = ("csv", "xlsx")
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "sav": "application/x-spss-sav",
    "parquet": "application/vnd.apache.parquet",
}
_BYTES = "application/octet-stream"


def attachment(sheets: Sequence[Sheet], form: str, title: str, plain: str) -> Response:
    """Return sheets as a file; CSV holds the first alone.

    `title` names the file in any script; `plain` is ASCII, for who cannot read that (RFC 6266).
    """
    content = csv_bytes(sheets[0]) if form == "csv" else xlsx(sheets)
    return file_attachment(content, form, title, plain)


def file_attachment(content: bytes, form: str, title: str, plain: str) -> Response:
    """Return a file of this form, which is also its ending."""
    return download(content, _TYPES[form], title, plain, form)


def json_attachment(content: str, title: str, plain: str) -> Response:
    """Return JSON as a file; names as for `attachment`."""
    return download(content.encode(), "application/json", title, plain, "json")


def stored_attachment(content: bytes, form: str, title: str, plain: str) -> Response:
    """Return what somebody handed in, as bytes that no browser opens by itself."""
    return download(content, _BYTES, title, plain, form)


def download(content: bytes, kind: str, title: str, plain: str, suffix: str) -> Response:
    """Return these bytes as a file of this media type, named as in `attachment`."""
    response = Response(content, content_type=kind)
    names = {
        "filename": f"{plain}.{suffix}",
        "filename*": f"UTF-8''{quote(f'{file_name(title)}.{suffix}', safe='')}",
    }
    response.headers.set("Content-Disposition", "attachment", **names)
    return response
