"""The child process that reads a drawn page as a phone would: PDF in, what its QR codes say out.

Run by `app.confined`. It draws nothing itself and shares no code with what drew the page.
"""

import json
import sys
from collections.abc import Iterator

from pypdfium2 import PdfDocument, PdfPage  # type: ignore[import-untyped]  # no types of its own
from zxingcpp import BarcodeFormat, BarcodeFormats, read_barcodes

# Coarser than any printer and about what a phone at arm's length sees of a card.
DPI = 100
_QR = BarcodeFormats(BarcodeFormat.QRCode)


def main() -> None:
    """Write one list per page: text, x and y (points) of the middle of each code found."""
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


if __name__ == "__main__":
    main()
