"""Nothing is printed that cannot be read: each drawn code is read back before it is handed out.

The pages are rasterised and decoded by other libraries than drew them, in a child process: it
takes a processor of its own, gives its memory back, and what happens to it happens to it alone.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from app.confined import ChildFailed, Limits, run_confined
from app.errors import Unavailable
from app.errors import say as _
from app.services import proof_reader
from app.services.drawing import NotReadBack
from app.services.printing import Spot

# Of 1 GB of addresses about 40 MB are used.
_LIMITS = Limits(memory=1024**3, cpu_seconds=120, result=8 * 1024**2, wall_seconds=180)
_NEAR = 4.0  # points; the reader's corners are whole pixels of 0.72 points

_Found: TypeAlias = Sequence[tuple[str, float, float]]


def proofread(pdf: bytes, pages: Sequence[Sequence[Spot]]) -> int:
    """Return how many codes were read back: all, each at its place and leading to its address.

    Raises `NotReadBack` when one is missing, wrong, elsewhere or too many, and `Unavailable` when
    the reader did not come to an end.
    """
    found = _read(pdf)
    if len(found) != len(pages):
        raise NotReadBack(sum(map(len, pages)), 1)
    wrong = [_wrong(spots, codes) for spots, codes in zip(pages, found, strict=True)]
    if any(wrong):
        raise NotReadBack(sum(wrong), next(at for at, count in enumerate(wrong, 1) if count))
    return sum(map(len, pages))


def _wrong(spots: Sequence[Spot], codes: _Found) -> int:
    """Count the spots without their code, and the codes that no spot knows."""
    missing = [spot for spot in spots if not any(_is_at(spot, code) for code in codes)]
    unknown = [code for code in codes if not any(_is_at(spot, code) for spot in spots)]
    return max(len(missing), len(unknown))


def _is_at(spot: Spot, code: tuple[str, float, float]) -> bool:
    text, x, y = code
    return text == spot.url and abs(x - spot.x) < _NEAR and abs(y - spot.y) < _NEAR


def _read(pdf: bytes) -> list[_Found]:
    try:
        pages: list[_Found] = json.loads(run_confined(Path(proof_reader.__file__), pdf, _LIMITS))
    except ChildFailed as error:
        raise Unavailable(_("二维码还没能核对完，因此没有发出，请过一会儿再试。")) from error
    return pages
