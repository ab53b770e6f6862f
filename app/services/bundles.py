"""A sealed bundle: parts in one file, of which no byte can change without being found.

The file is a ZIP without compression, whose every byte follows from its parts: names in a fixed
order, no times. It holds the parts, `manifest.json` with the SHA-256 of each, and `seal.sha256`,
the SHA-256 of the manifest: the digest by which a seal is cited. Whoever makes a whole new bundle
gets another digest, and that is on paper and in the audit log.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from app.errors import Sentence
from app.errors import say as _

FORMAT = "minping.seal/1"
LARGEST = 500 * 1024 * 1024
MANIFEST, SEAL = "manifest.json", "seal.sha256"
_FIRST_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Difference:
    """What in a bundle is not as it was sealed: the place (a part, or more closely), and how."""

    place: str
    what: Sentence


class NotABundle(Exception):  # noqa: N818 - an expected outcome, named for what it is
    """The file cannot be taken apart, so that there is nothing to compare."""

    def __init__(self, what: Sentence) -> None:
        super().__init__(str(what))
        self.what = what


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle taken apart: its manifest, its parts by name, and the digest it is cited by."""

    manifest: Mapping[str, Any]
    parts: Mapping[str, bytes]
    digest: str


def write_bundle(manifest: Mapping[str, Any], parts: Mapping[str, bytes]) -> tuple[bytes, str]:
    """Return a bundle as bytes, and its digest (64 hexadecimal digits).

    The manifest gets `format` and the list of the parts with their sizes (bytes) and digests.
    """
    listed = [
        {"name": name, "size": len(content), "sha256": _sha256(content)}
        for name, content in sorted(parts.items())
    ]
    text = to_json({"format": FORMAT, **manifest, "parts": listed})
    digest = _sha256(text)
    return _zip({**parts, MANIFEST: text, SEAL: f"{digest}\n".encode()}), digest


def read_bundle(content: bytes) -> Bundle:
    """Take a bundle apart without judging it. Raises `NotABundle`."""
    members = _unzip(content)
    if MANIFEST not in members:
        raise NotABundle(_("文件里没有 %(name)s，不是封存文件。", name=MANIFEST))
    try:
        manifest = json.loads(members[MANIFEST])
    except ValueError:
        raise NotABundle(_("%(name)s 已损坏，无法读取。", name=MANIFEST)) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise NotABundle(_("不是 %(format)s 格式的封存文件。", format=FORMAT))
    if not _is_listing(manifest.get("parts")):
        raise NotABundle(_("%(name)s 已损坏，无法读取。", name=MANIFEST))
    parts = {name: member for name, member in members.items() if name not in {MANIFEST, SEAL}}
    return Bundle(manifest, parts, _sha256(members[MANIFEST]))


def _is_listing(parts: object) -> bool:
    return isinstance(parts, list) and all(
        isinstance(each, dict) and isinstance(each.get("name"), str) and "sha256" in each
        for each in parts
    )


def compare_parts(content: bytes, bundle: Bundle) -> list[Difference]:
    """Return every byte-level difference between a bundle and what its manifest says it is."""
    found = []
    members = _unzip(content)
    if members.get(SEAL) != f"{bundle.digest}\n".encode():
        found.append(Difference(MANIFEST, _("与 %(name)s 里的摘要不符。", name=SEAL)))
    listed = {each["name"]: each for each in bundle.manifest["parts"]}
    for name in sorted({*listed, *bundle.parts}):
        if name not in bundle.parts:
            found.append(Difference(name, _("缺少这一部分。")))
        elif name not in listed:
            found.append(Difference(name, _("多出的部分，封存时没有。")))
        elif _sha256(bundle.parts[name]) != listed[name]["sha256"]:
            found.append(Difference(name, _("内容与封存时不同。")))
    if not found and _zip(members) != content:
        found.append(Difference("zip", _("文件的外壳被改动，各部分内容未变。")))
    return found


def to_json(content: object) -> bytes:
    """Return JSON in the one form that seals use: sorted keys, Chinese as it is, a last newline.

    Raises
        ValueError: a figure is no number; JSON has none such, and it would equal nothing later.
    """
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    return f"{text}\n".encode()


def _zip(members: Mapping[str, bytes]) -> bytes:
    made = BytesIO()
    with ZipFile(made, "w", ZIP_STORED) as archive:
        for name, content in sorted(members.items()):
            info = ZipInfo(name, _FIRST_TIME)
            info.create_system = 3  # the same on every system that writes one
            archive.writestr(info, content)
    return made.getvalue()


def _unzip(content: bytes) -> dict[str, bytes]:
    damaged = NotABundle(_("不是封存文件，或者文件已损坏，无法打开。"))
    try:
        with ZipFile(BytesIO(content)) as archive:
            infos = archive.infolist()
            # Nothing is compressed in a bundle, so that nothing can unfold to more than it is.
            if any(info.compress_type != ZIP_STORED for info in infos):
                raise damaged
            return {info.filename: _member(archive, info) for info in infos}
    except (BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError):
        raise damaged from None


def _member(archive: ZipFile, info: ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except BadZipFile:  # its checksum; what is wrong with it shows by its digest
        start = info.header_offset
        if archive.fp is None:
            raise
        archive.fp.seek(start + 26)
        lengths = archive.fp.read(4)
        skip = int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        archive.fp.seek(start + 30 + skip)
        return archive.fp.read(info.compress_size)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
