"""The secrets that senders brought in a handshake, in SQL."""

from __future__ import annotations

from hookcatch.core.secret import Secret

from .dialect import SECRETS, Db
from .text import digest, text, untext


def learn(db: Db, source: str, tenant: str, secret: Secret) -> bool:
    """Keep a secret, unless one is kept; whether it is the one that is kept now."""
    db.execute(db.dialect.learn, (digest(source, tenant), text(source), text(tenant), secret.reveal()))
    known = learned(db, source, tenant)
    return known is not None and known.reveal() == secret.reveal()


def learned(db: Db, source: str, tenant: str) -> Secret | None:
    """The secret that is kept."""
    sql = f"SELECT secret FROM {SECRETS} WHERE secret_key = %s"
    row = db.execute(sql, (digest(source, tenant),)).fetchone()
    return None if row is None else Secret(bytes(row[0]))


def learners(db: Db) -> list[tuple[str, str]]:
    """Whose secrets are kept."""
    found = db.execute(f"SELECT source, tenant FROM {SECRETS}").fetchall()
    return sorted((untext(source), untext(tenant)) for source, tenant in found)


def forget(db: Db, source: str, tenant: str) -> bool:
    """Drop a secret; whether there was one."""
    sql = f"DELETE FROM {SECRETS} WHERE secret_key = %s"
    return bool(db.execute(sql, (digest(source, tenant),)).rowcount == 1)
