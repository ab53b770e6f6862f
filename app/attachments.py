"""Files that staff take away: a name that every browser takes, and never shown as a page."""

from collections.abc import Sequence
from urllib.parse import quote

from flask import Response

from app.spreadsheets.writing import Sheet, csv_bytes, file_name, xlsx

FORMS = ("csv", "xlsx")
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def attachment(sheets: Sequence[Sheet], form: str, title: str, plain: str) -> Response:
    """Return sheets as a file; CSV holds the first alone.

    `title` names the file in any script; `plain` is ASCII, for who cannot read that (RFC 6266).
    """
    is_csv = form == "csv"
    content = csv_bytes(sheets[0]) if is_csv else xlsx(sheets)
    kind = "text/csv; charset=utf-8" if is_csv else _XLSX
    return plain_attachment(content, form, kind, title, plain)


def plain_attachment(content: bytes, form: str, kind: str, title: str, plain: str) -> Response:
    """Return bytes of this content type as a file, named as `attachment` says."""
    response = Response(content, content_type=kind)
    names = {
        "filename": f"{plain}.{form}",
        "filename*": f"UTF-8''{quote(f'{file_name(title)}.{form}', safe='')}",
    }
    response.headers.set("Content-Disposition", "attachment", **names)
    return response
