"""The second factor: codes that a phone shows (TOTP, RFC 6238), and recovery codes on paper.

Neither can be read from the database: the phone's secret is derived from a key kept outside it,
as card codes are, and of recovery codes only keyed hashes are stored.
"""

import hmac
import secrets
from base64 import b32encode
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

from pyotp import TOTP
from qrcode import QRCode
from qrcode.image.pil import PilImage
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.config import Keys, SecondFactor
from app.db import rows_hit
from app.errors import InvalidInput
from app.errors import say as _
from app.models import RecoveryCode, Role, Staff
from app.services import devices
from app.services.codes import CLEAR_SIGNS, fold

RECOVERY_CODES, RECOVERY_LENGTH = 10, 16
CODE_LENGTH = 6
_REQUIRED_OF = {Role.ADMINISTRATOR, Role.EVALUATOR}
_WINDOW = (-1, 0, 1)  # steps of 30 seconds that a phone's clock may be wrong


def must_enrol(staff: Staff, rule: SecondFactor) -> bool:
    """Say whether this person has to set up a second factor before anything else.

    Never in a demo account, which everybody shares.
    """
    is_required = rule is SecondFactor.REQUIRED and staff.role in _REQUIRED_OF
    return is_required and staff.factor_seed is None and not staff.is_demo


# ---------------------------------------------------------------------------------------------
# The phone
# ---------------------------------------------------------------------------------------------


def draw_seed() -> bytes:
    """Return what a new secret is derived from."""
    return secrets.token_bytes(16)


def secret_of(keys: Keys, staff: Staff, seed: bytes) -> str:
    """Derive the secret that phone and server share: 160 bits, in base32."""
    covered = f"phone:{staff.id}:{seed.hex()}".encode()
    return b32encode(hmac.digest(keys.factor, covered, "sha256")[:20]).decode()


def secret_image(staff: Staff, secret: str) -> bytes:
    """Return the secret as a QR code (PNG) that authenticator apps scan."""
    address = TOTP(secret).provisioning_uri(name=staff.name, issuer_name="民评")
    code = QRCode(box_size=5, image_factory=PilImage)
    code.add_data(address)
    written = BytesIO()
    code.make_image().save(written)
    return written.getvalue()


def step_or_none(secret: str, typed: str, now: datetime) -> int | None:
    """Return the time step whose code this is; None for a wrong code."""
    phone, code = TOTP(secret), fold(typed).encode()
    around = [phone.timecode(now) + offset for offset in _WINDOW]
    right = [s for s in around if hmac.compare_digest(phone.generate_otp(s).encode(), code)]
    return max(right, default=None)


def enrol(
    session: Session, keys: Keys, staff: Staff, seed: bytes, step: int, mine: int, now: datetime
) -> Sequence[str]:
    """Store the factor that a code of this time step confirmed; return new recovery codes.

    Every other session ends. Raises `InvalidInput` when another factor was set up meanwhile.
    """
    unchanged = Staff.factor_seed.is_not_distinct_from(staff.factor_seed)
    enrolled = update(Staff).where(Staff.id == staff.id, unchanged)
    if rows_hit(session, enrolled.values(factor_seed=seed, factor_step=step)) != 1:
        raise InvalidInput({"code": _("两步验证刚刚在别处设置过，请刷新本页。")})
    devices.end_sessions(session, staff, now, but=mine)
    return replace_recovery_codes(session, keys, staff)


def reset_factor(session: Session, staff: Staff, now: datetime) -> None:
    """Take a person's second factor and recovery codes away, and end the sessions."""
    staff.factor_seed = staff.factor_step = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
    devices.end_sessions(session, staff, now)


# ---------------------------------------------------------------------------------------------
# Recovery codes
# ---------------------------------------------------------------------------------------------


def replace_recovery_codes(session: Session, keys: Keys, staff: Staff) -> Sequence[str]:
    """Draw ten new recovery codes; the old ones are worth nothing from now on."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
    drawn = [
        "".join(secrets.choice(CLEAR_SIGNS) for _ in range(RECOVERY_LENGTH))
        for _ in range(RECOVERY_CODES)
    ]
    session.add_all(
        RecoveryCode(staff_id=staff.id, code_hash=_recovery_hash(keys, staff, code))
        for code in drawn
    )
    return drawn


def spend_recovery_code(session: Session, keys: Keys, staff: Staff, typed: str) -> bool:
    """Say whether this is a recovery code that was left; from now on it is not."""
    found = RecoveryCode.code_hash == _recovery_hash(keys, staff, fold(typed).upper())
    return rows_hit(session, delete(RecoveryCode).where(found)) == 1


def count_recovery_codes(session: Session, staff: Staff) -> int:
    """Return how many recovery codes are left."""
    query = select(func.count()).select_from(RecoveryCode)
    return session.scalar(query.where(RecoveryCode.staff_id == staff.id)) or 0


def _recovery_hash(keys: Keys, staff: Staff, code: str) -> bytes:
    return hmac.digest(keys.factor, f"recovery:{staff.id}:{code}".encode(), "sha256")
