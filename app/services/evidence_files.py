"""Evidence that is handed in with a measurement (佐证材料): taken, handed out, erased.

A file is never opened or shown here: its kind is judged by its name and by its first bytes, and
it leaves the house as an attachment alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload, undefer

from app.db import rows_hit
from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.models import (
    Evaluation,
    EvaluationObject,
    EvaluationState,
    EvidenceFile,
)
from app.services.entries import Author

# Together with the form's own fields it fits in the largest body that the house takes.
LARGEST_EVIDENCE = 7 * 1024 * 1024
MOST_FILES = 10
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class _Kind:
    """How files of a kind begin, and what a packed one must and must not hold."""

    begins: bytes
    holds: tuple[bytes, ...] = ()


_OFFICE = b"[Content_Types].xml"
_KINDS: Mapping[str, _Kind] = {
    "pdf": _Kind(b"%PDF-"),
    "jpg": _Kind(b"\xff\xd8\xff"),
    "jpeg": _Kind(b"\xff\xd8\xff"),
    "png": _Kind(b"\x89PNG\r\n\x1a\n"),
    "docx": _Kind(b"PK\x03\x04", (_OFFICE, b"word/document.xml")),
    "xlsx": _Kind(b"PK\x03\x04", (_OFFICE, b"xl/workbook.xml")),
    "ofd": _Kind(b"PK\x03\x04", (b"OFD.xml",)),
}
# Macros run where the file is opened; in the plain formats they have no place.
_MACROS = b"vbaProject.bin"
SUFFIXES = tuple(_KINDS)


def add_evidence(
    session: Session,
    scored: EvaluationObject,
    code: str,
    name: str,
    content: bytes,
    author: Author,
) -> EvidenceFile:
    """Keep a file for one indicator of an object.

    Raises `InvalidInput` for a file that is none of the kinds, too large or empty; `Problem` when
    the evaluation takes no more.
    """
    if scored.evaluation.state is EvaluationState.CLOSED or scored.evaluation.erased_at:
        raise Problem(_("这次评价已经结束，不能再上传。"))
    plain, suffix = _name(name)
    fault = _fault(suffix, content)
    if fault is not None:
        raise InvalidInput({"file": fault})
    if _count(session, scored, code) >= MOST_FILES:
        sentence = _("一个指标最多 %(most)s 个文件，请合并以后再上传。", most=MOST_FILES)
        raise InvalidInput({"file": sentence})
    made = EvidenceFile(
        object_id=scored.id,
        indicator=code,
        name=plain,
        suffix=suffix,
        size=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        content=content,
        staff_id=author.staff.id,
        at=author.at,
    )
    session.add(made)
    session.flush()
    return made


def _name(name: str) -> tuple[str, str]:
    """Return the name without folders and suffix, and the suffix in small letters."""
    last = name.replace("\\", "/").rpartition("/")[2].replace("\0", "")
    stem, dot, suffix = last.rpartition(".")
    plain = stem if dot else last
    return plain.strip()[:_LONGEST_NAME] or "-", suffix.lower() if dot else ""


def _fault(suffix: str, content: bytes) -> Sentence | None:
    if len(content) > LARGEST_EVIDENCE:
        most = LARGEST_EVIDENCE // 1024 // 1024
        return _("文件超过 %(most)s MB，请压缩或分成几个。", most=most)
    if not content:
        return _("文件是空的，请重新选择。")
    kind = _KINDS.get(suffix)
    if kind is None:
        return _("只收这些文件：%(suffixes)s。", suffixes="、".join(SUFFIXES))
    is_whole = content.startswith(kind.begins) and all(part in content for part in kind.holds)
    if not is_whole:
        return _("文件内容和后缀 .%(suffix)s 不符，请用原来的软件另存一次。", suffix=suffix)
    if kind.holds and _MACROS in content:
        return _("文件里有宏，不能上传。请另存为不带宏的文件。")
    return None


def _count(session: Session, scored: EvaluationObject, code: str) -> int:
    query = select(func.count()).where(
        EvidenceFile.object_id == scored.id,
        EvidenceFile.indicator == code,
        EvidenceFile.erased_at.is_(None),
    )
    return session.scalar(query) or 0


def load_evidence_files(session: Session, scored: EvaluationObject) -> Sequence[EvidenceFile]:
    """Return what was handed in for an object, without the contents."""
    query = (
        select(EvidenceFile)
        .where(EvidenceFile.object_id == scored.id)
        .options(joinedload(EvidenceFile.staff))
        .order_by(EvidenceFile.id)
    )
    return session.scalars(query).all()


def find_evidence(session: Session, scored: EvaluationObject, file_id: int) -> EvidenceFile:
    """Return one file of an object with its content. Raises `NotFound`, also once it is erased."""
    query = (
        select(EvidenceFile)
        .where(EvidenceFile.id == file_id, EvidenceFile.object_id == scored.id)
        .options(undefer(EvidenceFile.content))
    )
    found = session.scalar(query)
    if found is None or found.content is None:
        raise NotFound
    return found


def load_due(session: Session, today: date) -> Sequence[tuple[Evaluation, int]]:
    """Return evaluations whose evidence is to be erased by `today` (in Beijing), and how many."""
    kept = (
        select(func.count())
        .select_from(EvidenceFile)
        .join(EvaluationObject, EvaluationObject.id == EvidenceFile.object_id)
        .where(EvaluationObject.evaluation_id == Evaluation.id, EvidenceFile.content.is_not(None))
        .scalar_subquery()
    )
    query = (
        select(Evaluation, kept)
        .where(Evaluation.erased_at.is_(None), Evaluation.erase_at <= today)
        .options(joinedload(Evaluation.area))
        .order_by(Evaluation.id)
    )
    return [(found, count) for found, count in session.execute(query)]


def erase_evidence(session: Session, evaluation: Evaluation, now: datetime) -> int | None:
    """Erase contents and names of an evaluation's evidence; return how many files.

    Returns None when somebody else did it meanwhile.
    """
    claim = update(Evaluation).where(Evaluation.id == evaluation.id, Evaluation.erased_at.is_(None))
    if rows_hit(session, claim.values(erased_at=now)) == 0:
        return None
    objects = select(EvaluationObject.id).where(EvaluationObject.evaluation_id == evaluation.id)
    files = update(EvidenceFile).where(
        EvidenceFile.object_id.in_(objects), EvidenceFile.content.is_not(None)
    )
    return rows_hit(session, files.values(content=None, name="", erased_at=now))
