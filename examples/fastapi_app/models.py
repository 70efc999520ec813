"""The tables of the shop. They are in the same SQLite file as the events, so that one commit covers both."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "shop_order"

    id: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[str]
    paid: Mapped[str | None]
