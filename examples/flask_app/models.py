"""The tables of the shop. They are in the same SQLite file as the events, so that one commit covers both."""

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column

db = SQLAlchemy()


class Order(db.Model):
    id: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[str]
    paid: Mapped[str | None]
