"""What people type, made comparable: the same text however it was keyed in."""

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
# Control characters and halves of surrogate pairs: no database and no document takes them all.
_UNPRINTABLE = frozenset({"Cc", "Cs"})


def clean_text(typed: str, *, multiline: bool) -> str:
    """Return typed text trimmed, with line ends as in Unix and without control characters.

    In a text of one line, line ends and tabs become spaces.
    """
    text = _LINE_ENDS.sub("\n", typed).replace("\t", " ")
    if not multiline:
        text = text.replace("\n", " ")
    kept = (sign for sign in text if sign == "\n" or unicodedata.category(sign) not in _UNPRINTABLE)
    return "".join(kept).strip()
