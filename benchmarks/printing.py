"""`python -m benchmarks.printing`: draw 1,000 cards, read every code back, weigh the file."""

import argparse
import resource
import sys
import time
from dataclasses import dataclass

from app.services.printing import (
    LAYOUTS,
    CardFace,
    LayoutName,
    SheetHeading,
    card_sheet,
    card_spots,
)
from app.services.proofing import proofread

MOST_SECONDS, MOST_MEGABYTES, LARGEST_FILE = 10.0, 150.0, 2.0
_HEADING = SheetHeading(
    "2026年度县级机关绩效评价群众满意度调查", "示范省 示范市 城关街道", "7", "029-34921234"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds (wall and processor), megabytes of memory, megabytes of PDF, and codes read back."""

    drawing: float
    drawing_cpu: float
    reading: float
    memory_before: float
    memory: float
    size: float
    read_back: int

    @property
    def added(self) -> float:
        """Megabytes that drawing added to the process."""
        return self.memory - self.memory_before


def measure(cards: int, layout: LayoutName) -> Measured:
    """Draw and read back so many cards."""
    faces = [_face(serial) for serial in range(1, cards + 1)]
    memory_before = _peak()
    started, cpu = time.perf_counter(), time.process_time()
    pdf = card_sheet(faces, _HEADING, LAYOUTS[layout])
    drawn, drawn_cpu = time.perf_counter(), time.process_time()
    read_back = proofread(pdf, card_spots(faces, LAYOUTS[layout]))
    return Measured(
        drawn - started,
        drawn_cpu - cpu,
        time.perf_counter() - drawn,
        memory_before,
        _peak(),
        len(pdf) / 1e6,
        read_back,
    )


def _face(serial: int) -> CardFace:
    code = f"{serial * 7919 * 104729:016d}"
    return CardFace(f"https://minping.example.org/s/{code}", code, serial)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Return 0 when every code was read back, whatever the time; speed is for the reader."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.printing", description=__doc__)
    parser.add_argument("--cards", type=int, default=1000)
    parser.add_argument("--layout", choices=[name.value for name in LayoutName], default="ten")
    chosen = parser.parse_args()
    found = measure(chosen.cards, LayoutName(chosen.layout))
    total = found.drawing + found.reading
    print(f"{found.read_back} of {chosen.cards} codes read back from the drawn pages")
    print(f"drawing       {found.drawing:6.1f} s ({found.drawing_cpu:.1f} s of processor)")
    print(f"reading back  {found.reading:6.1f} s, in a process of its own")
    print(f"together      {total:6.1f} s          (1,000 cards: at most {MOST_SECONDS:.0f})")
    print(
        f"memory        {found.added:6.1f} MB added   (at most {MOST_MEGABYTES:.0f}); "
        f"{found.memory_before:.0f} before, {found.memory:.0f} after"
    )
    print(f"file          {found.size:6.2f} MB         (at most {LARGEST_FILE:.0f})")
    return 0 if found.read_back == chosen.cards else 1


if __name__ == "__main__":
    sys.exit(main())
