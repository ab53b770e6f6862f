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


def attachment(sheets: Sequence[Sheet], form: str, title: str, plain: str) -> Response:
    """Return sheets as a file; CSV holds the first alone.

    `title` names the file in any script; `plain` is ASCII, for who cannot read that (RFC 6266).
    """
    content = csv_bytes(sheets[0]) if form == "csv" else xlsx(sheets)
    return file_attachment(content, form, title, plain)


def file_attachment(content: bytes, form: str, title: str, plain: str) -> Response:
    """Return a file of this form, which is also its ending."""
    response = Response(content, content_type=_TYPES[form])
    names = {
        "filename": f"{plain}.{form}",
        "filename*": f"UTF-8''{quote(f'{file_name(title)}.{form}', safe='')}",
    }
    response.headers.set("Content-Disposition", "attachment", **names)
    return response
