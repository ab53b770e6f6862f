"""Hash trees as in RFC 6962 (Certificate Transparency, section 2.1): roots, and short proofs.

A root of 32 bytes stands for a list of any length; a proof of log2(n) hashes shows that one entry
is in it without showing the others. Leaves and inner nodes are hashed apart, so that no node can
be passed off as a leaf.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """On which side of the way up a hash of a proof stands."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Step:
    """One hash (32 bytes) to be joined on the way from a leaf up to the root."""

    side: Side
    digest: bytes


def leaf_digest(entry: bytes) -> bytes:
    """Return the hash of one entry of the list."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_digest(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over these leaf hashes, in this order; of none, the hash of nothing."""
    if not leaves:
        return hashlib.sha256().digest()
    return _levels(leaves)[-1][0]


def proof(leaves: Sequence[bytes], index: int) -> tuple[Step, ...]:
    """Return the hashes that lead from the leaf at this place to the root, the lowest first.

    Raises `IndexError` when there is no such place.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    steps = []
    for level in _levels(leaves)[:-1]:
        neighbour = index ^ 1
        if neighbour < len(level):
            side = Side.LEFT if neighbour < index else Side.RIGHT
            steps.append(Step(side, level[neighbour]))
        index //= 2
    return tuple(steps)


def climb(leaf: bytes, steps: Sequence[Step]) -> bytes:
    """Return the root that a leaf hash leads to by these steps."""
    reached = leaf
    for step in steps:
        is_left = step.side is Side.LEFT
        reached = (
            node_digest(step.digest, reached) if is_left else node_digest(reached, step.digest)
        )
    return reached


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    # Pairing from the left and carrying a lone last hash up unchanged builds the tree of RFC 6962,
    # which splits a list at the largest power of two below its length.
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [
            node_digest(below[place], below[place + 1]) for place in range(0, len(below) - 1, 2)
        ]
        levels.append(above + below[len(above) * 2 :])
    return levels
