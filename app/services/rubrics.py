"""Rubrics: those of the bundled documents, and those that evaluators make or type in."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from analysis.scoring import rubric as rubric_files
from analysis.scoring.book import Book, BookFault, BookRefused
from analysis.scoring.book_writing import book_of, rubric_text
from analysis.scoring.rubric import EXAMPLE, FOLDER, Rubric, RubricError, parse_document
from app.db import rows_hit
from app.errors import InvalidInput, NotFound, Problem, Sentence, TableRefused
from app.errors import say as _
from app.models import Area, RubricState, Staff, StoredRubric
from app.services import evaluating
from app.services.areas import within
from app.spreadsheets.rubric_book import ReadBook, read_book

# Ten times the largest bundled one; what is checked with every request has to stay small.
LARGEST_TEXT = 400_000
MOST_INDICATORS = 200
MOST_ROWS = 3_000
# Of one indicator; every two of them are held against each other.
MOST_MEASUREMENTS = 20
LONGEST_TITLE = 200

_OWN = re.compile(r"own-([1-9][0-9]{0,8})", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_LONGEST_SLUG = 64


@dataclass(frozen=True, slots=True)
class Draft:
    """The text of a usable rubric file, and what it says."""

    text: str
    rubric: Rubric

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


# ---------------------------------------------------------------------------------------------
# From what people send to a rubric
# ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _parsed(text: str, where: str) -> Rubric:
    return rubric_files.parse(text, where)


def read_text(text: str, where: str) -> Draft:
    """Check the text of a rubric file. Raises `TableRefused`."""
    if len(text) > LARGEST_TEXT or text.count("[[") + text.count("{") > MOST_ROWS:
        raise TableRefused([_("文件太大，不能作为指标体系。")])
    try:
        rubric = _parsed(text, where)
    except RubricError as fault:
        raise TableRefused([str(fault)]) from None
    _check_size(rubric)
    faults = [*_unstorable(rubric)]
    if faults:
        raise TableRefused(f"{where}：{key}：{sentence}" for key, sentence in faults)
    return Draft(text, rubric)


def _check_size(rubric: Rubric) -> None:
    """Refuse what would take long to check with every request. Raises `TableRefused`."""
    if len(rubric.indicators) > MOST_INDICATORS:
        raise TableRefused([_("指标太多：最多 %(most)s 个。", most=MOST_INDICATORS)])
    for indicator in rubric.indicators:
        if len(indicator.published.measurements) > MOST_MEASUREMENTS:
            what = _("测量值太多：一个指标最多 %(most)s 个。", most=MOST_MEASUREMENTS)
            raise TableRefused([f"{indicator.code}：{what}"])


def _unstorable(rubric: Rubric) -> Iterator[tuple[str, Sentence]]:
    """Yield what a file may say, and the tables of the database cannot keep."""
    if not _SLUG.fullmatch(rubric.id) or len(rubric.id) > _LONGEST_SLUG:
        yield (
            "id",
            _("代号只能用小写字母、数字和连字符，最多 %(most)s 个。", most=_LONGEST_SLUG),
        )
    if len(rubric.title) > LONGEST_TITLE or not rubric.title.isprintable():
        yield "title", _("最多 %(most)s 个字，不能换行。", most=LONGEST_TITLE)


def read_upload(content: bytes, name: str) -> Draft:
    """Read an uploaded rubric, .toml or .xlsx.

    Raises: `TableRefused` with every fault that can be told, by the cell of the sheet; and
    `Unavailable`.
    """
    if name.lower().endswith(".toml"):
        try:
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise TableRefused([_("文字编码认不出来。请存成 UTF-8。")]) from None
        return read_text(text, name)
    read = read_book(content, name)
    try:
        return read_tables(read.book)
    except BookRefused as refusal:
        raise TableRefused(_sentences(read, refusal.faults)) from None


def _sentences(read: ReadBook, faults: Sequence[BookFault]) -> list[Sentence]:
    return [read.sentence(fault) for fault in faults]


def read_tables(book: Book) -> Draft:
    """Check a rubric in tables. Raises `BookRefused`, and `TableRefused` where it is too large."""
    if sum(map(len, book.values())) > MOST_ROWS:
        raise TableRefused([_("内容太多：最多 %(most)s 行，请分成几个文件。", most=MOST_ROWS)])
    if len(book.get("indicators", ())) > MOST_INDICATORS:
        raise TableRefused([_("指标太多：最多 %(most)s 个。", most=MOST_INDICATORS)])
    text = rubric_text(book)
    rubric = _parsed(text, "")
    _check_size(rubric)
    faults = [BookFault("about", 1, key, str(what)) for key, what in _unstorable(rubric)]
    if faults:
        raise BookRefused(faults)
    return Draft(text, rubric)


# ---------------------------------------------------------------------------------------------
# The one look-up
# ---------------------------------------------------------------------------------------------


def offered(session: Session, branch: Area | None = None) -> dict[str, Rubric]:
    """Return every rubric that scores may rest on: the bundled ones, and those in use here.

    Of a rubric in several versions the newest in use. One that this release of the product cannot
    read any more is left out: it must not take the others along.
    """
    own: dict[tuple[int, str], tuple[str, Rubric]] = {}
    for stored in load_stored(session, branch):
        key = (stored.area_id, stored.slug)
        if stored.state is RubricState.IN_USE and key not in own:
            with suppress(RubricError):
                own[key] = (own_id(stored), rubric_of(stored))
    return {**evaluating.rubrics(), **dict(own.values())}


def find_rubric(session: Session, rubric_id: str, branch: Area | None = None) -> Rubric:
    """Return a rubric that scores may rest on: a bundled one, or a version in use.

    Raises `NotFound`.
    """
    if not _OWN.fullmatch(rubric_id):
        return evaluating.find_rubric(rubric_id)
    stored = find_by_name(session, rubric_id, branch)
    if stored.state is not RubricState.IN_USE:
        raise NotFound
    return rubric_of(stored)


def find_document(session: Session, rubric_id: str, branch: Area | None = None) -> str:
    """Return the text of a rubric that scores may rest on. Raises `NotFound`."""
    find_rubric(session, rubric_id, branch)
    return find_text(session, rubric_id, branch)


def own_id(stored: StoredRubric) -> str:
    """Return the name by which a stored version is found, in addresses, feeds and commands."""
    return f"own-{stored.id}"


def rubric_of(stored: StoredRubric) -> Rubric:
    """Return what a stored version says, under the name by which it is found."""
    return replace(_parsed(stored.text, stored.slug), id=own_id(stored))


def find_by_name(session: Session, name: str, branch: Area | None = None) -> StoredRubric:
    """Return the stored version with this name, in whatever state. Raises `NotFound`."""
    match = _OWN.fullmatch(name)
    if match is None:
        raise NotFound
    return find_stored(session, int(match[1]), branch)


def find_stored(session: Session, stored_id: int, branch: Area | None = None) -> StoredRubric:
    """Return one stored version, inside this branch if given. Raises `NotFound`."""
    found = session.scalar(_stored(branch).where(StoredRubric.id == stored_id))
    if found is None:
        raise NotFound
    return found


def load_stored(session: Session, branch: Area | None = None) -> Sequence[StoredRubric]:
    """Return every stored version, the newest first."""
    return session.scalars(_stored(branch).order_by(StoredRubric.id.desc())).all()


def load_versions(session: Session, stored: StoredRubric) -> Sequence[StoredRubric]:
    """Return all versions of a stored rubric, the newest first."""
    same = _stored(None).where(
        StoredRubric.area_id == stored.area_id, StoredRubric.slug == stored.slug
    )
    return session.scalars(same.order_by(StoredRubric.version.desc())).all()


def _stored(branch: Area | None) -> Select[StoredRubric]:
    query = select(StoredRubric).join(StoredRubric.area)
    loaded = query.options(joinedload(StoredRubric.area), joinedload(StoredRubric.staff))
    return loaded if branch is None else loaded.where(within(branch))


def find_text(session: Session, name: str, branch: Area | None = None) -> str:
    """Return the text of a rubric file, bundled or stored, in whatever state. Raises `NotFound`."""
    if name == EXAMPLE:
        return example_text()
    if name in rubric_files.bundled():
        return (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    return find_by_name(session, name, branch).text


def example_text() -> str:
    """Return the rubric that shows one indicator for each kind of rule."""
    return (FOLDER.parent / "example.toml").read_text(encoding="utf-8")


def book_of_text(text: str) -> Book:
    """Return a usable rubric file as tables. Raises `Problem` where they could not say the same."""
    try:
        return book_of(parse_document(text, ""))
    except RubricError as fault:
        raise Problem(str(fault)) from None


# ---------------------------------------------------------------------------------------------
# Storing
# ---------------------------------------------------------------------------------------------


def store_draft(
    session: Session, draft: Draft, area: Area, staff: Staff | None, now: datetime
) -> StoredRubric:
    """Store a rubric as the next version of its name in an area, still to be changed."""
    rubric = draft.rubric
    same = select(func.max(StoredRubric.version)).where(
        StoredRubric.area_id == area.id, StoredRubric.slug == rubric.id
    )
    made = StoredRubric(
        area=area,
        staff_id=None if staff is None else staff.id,
        slug=rubric.id,
        version=(session.scalar(same) or 0) + 1,
        title=rubric.title,
        text=draft.text,
        digest=draft.digest,
        state=RubricState.DRAFT,
        changed_at=now,
    )
    session.add(made)
    try:
        session.flush()
    except IntegrityError:
        raise Problem(_("刚才有人存了同一个版本，请再试一次。")) from None
    return made


def change_draft(
    session: Session, stored: StoredRubric, draft: Draft, seen: str, staff: Staff, now: datetime
) -> None:
    """Change a version that nothing rests on. `seen` is the digest of what was changed.

    Raises: `InvalidInput` for another name, `Problem` when somebody else changed it, or put it
    in use.
    """
    if draft.rubric.id != stored.slug:
        raise InvalidInput({"id": _("代号不能改，要换代号请另存为新的指标体系。")})
    claim = (
        update(StoredRubric)
        .where(
            StoredRubric.id == stored.id,
            StoredRubric.state == RubricState.DRAFT,
            StoredRubric.digest == seen,
        )
        .values(
            text=draft.text,
            digest=draft.digest,
            title=draft.rubric.title,
            staff_id=staff.id,
            changed_at=now,
        )
    )
    if rows_hit(session, claim) == 0:
        raise Problem(_("这一版刚才有人改过，或者已经启用。请回到指标体系页，重新打开再改。"))
    session.refresh(stored, ["text", "digest", "title"])


def put_in_use(session: Session, stored: StoredRubric) -> None:
    """Let scores rest on a version; it is never changed again. Raises `Problem`."""
    claim = (
        update(StoredRubric)
        .where(StoredRubric.id == stored.id, StoredRubric.state == RubricState.DRAFT)
        .values(state=RubricState.IN_USE)
    )
    if rows_hit(session, claim) == 0:
        raise Problem(_("这一版已经启用了。"))
