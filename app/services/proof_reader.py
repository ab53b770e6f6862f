"""The child process that reads a drawn page as a phone would: PDF in, what its QR codes say out.

Started by its path and not as part of the application: it knows no setting, no key and no
database. It draws nothing itself and shares no code with what drew the page.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress

from pypdfium2 import PdfDocument, PdfPage  # type: ignore[import-untyped]  # no types of its own
from zxingcpp import BarcodeFormat, BarcodeFormats, read_barcodes

# Coarser than any printer and about what a phone at arm's length sees of a card.
DPI = 100
MEMORY = 1024**3  # of addresses; about 40 MB of them are used
CPU_SECONDS = 120
LARGEST_RESULT = 8 * 1024 * 1024
_QR = BarcodeFormats(BarcodeFormat.QRCode)


def main() -> None:
    """Write one list per page: text, x and y (points) of the middle of each code found."""
    _limit_resources()
    document = PdfDocument(sys.stdin.buffer.read())
    json.dump([list(_codes(document[number])) for number in range(len(document))], sys.stdout)


def _codes(page: PdfPage) -> Iterator[tuple[str, float, float]]:
    point = DPI / 72
    picture = page.render(scale=point, grayscale=True).to_pil()
    for found in read_barcodes(picture, formats=_QR):
        near, far = found.position.top_left, found.position.bottom_right
        x, y = (near.x + far.x) / 2, picture.height - (near.y + far.y) / 2
        yield found.text, x / point, y / point
    page.close()


def _limit_resources() -> None:
    if sys.platform == "win32":  # knows no such limits; there the wall clock alone ends it
        return
    import resource  # noqa: PLC0415 - exists on Unix only

    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: LARGEST_RESULT,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in limits.items():
        with suppress(ValueError):  # macOS refuses a limit below what is in use already
            resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    main()
