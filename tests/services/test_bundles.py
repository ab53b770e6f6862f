"""Sealed bundles: what was put in comes out, and no byte changes unseen."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.bundles import (
    FORMAT,
    NotABundle,
    compare_parts,
    read_bundle,
    to_json,
    write_bundle,
)

PARTS = {"rates.json": to_json({"a": 1}), "submissions.parquet": bytes(range(256)) * 2}
CONTENT, DIGEST = write_bundle({"survey": 7, "title": "满意度"}, PARTS)


def places(content: bytes) -> set[str]:
    """Return where a bundle differs; `whole` where it cannot even be read."""
    try:
        return {each.place for each in compare_parts(content, read_bundle(content))}
    except NotABundle:
        return {"whole"}


def flip(place: int) -> bytes:
    return CONTENT[:place] + bytes([CONTENT[place] ^ 1]) + CONTENT[place + 1 :]


def test_what_was_put_in_comes_out() -> None:
    bundle = read_bundle(CONTENT)
    assert bundle.parts == PARTS
    assert bundle.digest == DIGEST
    assert bundle.manifest["title"] == "满意度"
    assert bundle.manifest["format"] == FORMAT
    assert places(CONTENT) == set()


def test_the_same_parts_give_the_same_bytes() -> None:
    backwards = dict(reversed(PARTS.items()))
    assert write_bundle({"title": "满意度", "survey": 7}, backwards) == (CONTENT, DIGEST)


def test_a_flipped_byte_anywhere_is_found() -> None:
    unseen = [place for place in range(len(CONTENT)) if not places(flip(place))]
    assert unseen == []


@given(st.binary(max_size=50), st.integers(0, len(CONTENT)), st.integers(0, len(CONTENT)))
def test_bytes_that_were_put_in_or_cut_out_are_found(added: bytes, start: int, end: int) -> None:
    changed = CONTENT[: min(start, end)] + added + CONTENT[max(start, end) :]
    assert bool(places(changed)) == (changed != CONTENT)


@pytest.mark.parametrize("name", PARTS)
def test_a_changed_part_is_named(name: str) -> None:
    assert places(flip(CONTENT.index(PARTS[name]) + 3)) == {name}


def test_parts_that_are_missing_or_too_many_are_named() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as old, zipfile.ZipFile(made, "w") as new:
        for info in old.infolist():
            if info.filename != "rates.json":
                new.writestr(info, old.read(info))
        new.writestr("more.txt", b"more")
    assert places(made.getvalue()) == {"rates.json", "more.txt"}


def test_a_part_that_would_unfold_is_refused() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b" " * 1_000_000)
    with pytest.raises(NotABundle):
        read_bundle(made.getvalue())


@pytest.mark.parametrize("manifest", [b"{", b"[]", b'{"format": "minping.feed/1"}'])
def test_another_archive_is_no_bundle(manifest: bytes) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("manifest.json", manifest)
    with pytest.raises(NotABundle):
        read_bundle(made.getvalue())


def test_what_is_no_number_is_never_sealed() -> None:
    """It equals nothing, not even itself, so that no later check could confirm the file."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"low": float("nan")})
