"""A small shop: it is told of orders by its partner and of payments by Stripe, and shows them."""

import os
from pathlib import Path

from flask import Flask, render_template
from models import Order, db
from webhooks import webhooks


def create_app(place: Path | None = None) -> Flask:
    app = Flask(__name__, instance_path=place and str(place.resolve()))
    path = Path(app.instance_path) / "shop.db"
    path.parent.mkdir(exist_ok=True)
    path.touch(0o600)  # it holds what senders sent
    file = f"sqlite:///{path}"
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI=file,
        HOOKCATCH_INBOX=file,
        HOOKCATCH_SOURCES={
            # in a shop that sells something, without the defaults
            "shop": {"secret": os.environ.get("SHOP_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
            "stripe": {"secret": os.environ.get("STRIPE_SECRET", "whsec_one_that_only_you_and_stripe_know")},
        },
    )
    db.init_app(app)
    webhooks.init_app(app)
    with app.app_context():
        db.create_all()

    @app.get("/")
    def orders() -> str:
        return render_template("orders.html", orders=db.session.scalars(db.select(Order).order_by(Order.id)))

    return app
