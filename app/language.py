"""Which language a page is in: Chinese unless the address or a member of staff asks for English."""

from flask import has_request_context, request

from app.headers import is_staff_side

CHINESE, ENGLISH = "zh_Hans_CN", "en"


def chosen_language() -> str:
    """Return the locale of this request; commands, which have none, speak Chinese.

    The cookie is for the staff pages alone: on a card it would put English buttons around Chinese
    questions.
    """
    if not has_request_context():
        return CHINESE
    asked = request.args.get("lang")
    if not asked and is_staff_side():
        asked = request.cookies.get("lang")
    return ENGLISH if asked == ENGLISH else CHINESE


def language_around(tag: str) -> str:
    """Return the locale of a page whose questions are in this language (BCP 47)."""
    return ENGLISH if tag == "en" else CHINESE
