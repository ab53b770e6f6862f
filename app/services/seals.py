"""Seals that were made: the last one, all of them, and what a receipt proves by one."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from app.config import Keys
from app.errors import NotFound
from app.models import Seal, Submission, Survey, SurveyState
from app.services import merkle
from app.services.inclusion import Inclusion as Rule
from app.services.inclusion import is_counted

PROOF = "minping.proof/1"
_LEAF = 32


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a submission is under the root of a seal, and the hashes that show it.

    `place` counts from 1. Place and leaf say nothing of the answers, nor of who gave them when.
    """

    seal: Seal
    leaf: bytes
    place: int
    steps: tuple[merkle.Step, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the proof as JSON can hold it."""
        return {
            "format": PROOF,
            "seal": self.seal.digest,
            "root": self.seal.root,
            "leaf": self.leaf.hex(),
            "steps": [{"side": step.side.value, "hash": step.digest.hex()} for step in self.steps],
        }


@dataclass(frozen=True, slots=True)
class Stand:
    """How what a survey shows now stands to its last seal.

    `contents` is the digest of all that its rates rest on, empty while answers may still come in.
    """

    seal: Seal | None
    contents: str

    @property
    def is_current(self) -> bool:
        """Whether the last seal holds just what is there now."""
        return self.seal is not None and self.seal.contents == self.contents

    @property
    def digest(self) -> str | None:
        """The digest to be cited; None for provisional data."""
        return self.seal.digest if self.seal is not None and self.is_current else None


def load_stand(session: Session, survey: Survey, design: Mapping[str, Any], rule: Rule) -> Stand:
    """Compare a survey with its last seal.

    `design` is how its rates are estimated, `rule` which of its submissions count.
    """
    seal = load_last_seal(session, survey.id)
    if survey.state is not SurveyState.CLOSED:
        return Stand(seal, "")
    facts = [design, rule.number]
    found = hashlib.sha256(json.dumps(facts, ensure_ascii=False, sort_keys=True).encode())
    query = select(Submission.key, Submission.digest, is_counted(rule).label("counts"))
    rows = session.execute(query.where(Submission.survey_id == survey.id).order_by(Submission.key))
    for row in rows:
        found.update(f"\n{row.key.hex} {row.digest} {int(row.counts)}".encode())
    return Stand(seal, found.hexdigest())


def load_last_seal(session: Session, survey_id: int) -> Seal | None:
    """Return the newest seal of a survey, without its bundle; None if it was never sealed."""
    query = select(Seal).where(Seal.survey_id == survey_id).order_by(Seal.revision.desc())
    return session.scalar(query.limit(1))


def load_seals(session: Session, survey: Survey) -> Sequence[Seal]:
    """Return every seal of a survey without the bundles, the newest first."""
    query = select(Seal).where(Seal.survey_id == survey.id).order_by(Seal.revision.desc())
    return session.scalars(query).all()


def load_bundle(session: Session, survey: Survey, revision: int) -> Seal:
    """Return one seal of a survey with its bundle and its leaves. Raises `NotFound`."""
    query = select(Seal).where(Seal.survey_id == survey.id, Seal.revision == revision)
    seal = session.scalar(query.options(undefer(Seal.bundle), undefer(Seal.leaves)))
    if seal is None:
        raise NotFound
    return seal


def leaf_of(keys: Keys, key: uuid.UUID, digest: str, *, counts: bool) -> bytes:
    """Return the leaf (32 bytes) by which a seal holds one submission.

    It is bound to the submission, to what was answered and to whether that counts, by a key that
    is in no database and no bundle: whoever has a bundle and somebody's receipt can see that the
    one is under the root of the other, and cannot find the answers.
    """
    content = b"minping.seal/1\0" + key.bytes + bytes.fromhex(digest) + bytes([counts])
    return merkle.leaf_digest(hmac.digest(keys.receipt, content, "sha256"))


def prove(session: Session, key: uuid.UUID, keys: Keys, *, counts: bool) -> Inclusion | None:
    """Return how the last seal of its survey holds this submission.

    None if the survey is not sealed, or the submission was changed since. `counts` says whether
    the submission counts now.
    """
    survey_id, digest = session.execute(
        select(Submission.survey_id, Submission.digest).where(Submission.key == key)
    ).one()
    query = select(Seal).where(Seal.survey_id == survey_id).order_by(Seal.revision.desc()).limit(1)
    seal = session.scalar(query.options(undefer(Seal.leaves)))
    if seal is None:
        return None
    leaves = split_leaves(seal.leaves)
    leaf = leaf_of(keys, key, digest, counts=counts)
    if leaf not in leaves:
        return None
    index = leaves.index(leaf)
    return Inclusion(seal, leaf, index + 1, merkle.proof(leaves, index))


def leads_to(proof: Mapping[str, Any], root: str) -> bool:
    """Say whether a proof of `Inclusion.to_dict` leads to this root (hexadecimal).

    Raises `ValueError`, `KeyError` or `TypeError` when it is no proof.
    """
    if proof["format"] != PROOF:
        raise ValueError(proof["format"])
    steps = [
        merkle.Step(merkle.Side(step["side"]), bytes.fromhex(step["hash"]))
        for step in proof["steps"]
    ]
    return merkle.climb(bytes.fromhex(proof["leaf"]), steps).hex() == root


def split_leaves(packed: bytes) -> list[bytes]:
    """Return the hashes that lie one after the other in `Seal.leaves`."""
    return [packed[start : start + _LEAF] for start in range(0, len(packed), _LEAF)]
