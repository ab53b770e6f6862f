"""Which language a page is in: Chinese unless the address or a cookie asks for English."""

from flask import has_request_context, request

CHINESE, ENGLISH = "zh_Hans_CN", "en"


def chosen_language() -> str:
    """Return the locale of this request; commands, which have none, speak Chinese."""
    if not has_request_context():
        return CHINESE
    asked = request.args.get("lang") or request.cookies.get("lang")
    return ENGLISH if asked == ENGLISH else CHINESE
