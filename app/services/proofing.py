"""Nothing is printed that cannot be read: each drawn code is read back before it is handed out.

The pages are rasterised and decoded by other libraries than drew them, in a child process: it
takes a processor of its own, gives its memory back, and what happens to it happens to it alone.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeAlias

from app.errors import Unavailable
from app.errors import say as _
from app.services import proof_reader
from app.services.drawing import NotReadBack
from app.services.printing import Spot

WALL_SECONDS = 180
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
    # -I and an empty environment (but for what Windows cannot start without): the child must not
    # know what it is not given.
    command = [sys.executable, "-I", "-X", "utf8", str(Path(proof_reader.__file__))]
    environment = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    with TemporaryFile() as answer:
        try:
            subprocess.run(  # noqa: S603 - our own program, nothing of a person's in it
                command,
                input=pdf,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                env=environment,
                timeout=WALL_SECONDS,
                check=True,
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            raise Unavailable(_("二维码还没能核对完，因此没有发出，请过一会儿再试。")) from error
        answer.seek(0)
        pages: list[_Found] = json.load(answer)
    return pages
