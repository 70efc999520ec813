"""A small shop: it is told of orders by its partner and of payments by Stripe, and shows them."""

import os
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from models import Base, Order
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from webhooks import handlers

from hookcatch import Hookcatch
from hookcatch.fastapi import router, webhooks

HERE = Path(__file__).parent
templates = Jinja2Templates(HERE / "templates")


def create_app(file: Path) -> FastAPI:
    file.touch(0o600)  # it holds what senders sent
    engine = create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)

    hooks = Hookcatch(f"sqlite:///{file}")
    # in a shop that sells something, without the defaults
    hooks.source(
        "shop", "standard_webhooks", os.environ.get("SHOP_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    )
    hooks.source("stripe", secret=os.environ.get("STRIPE_SECRET", "whsec_one_that_only_you_and_stripe_know"))
    hooks.include(handlers)

    app = FastAPI(title="Shop")
    app.state.hooks = hooks
    app.include_router(router(hooks))
    app.webhooks.include_router(webhooks(hooks))

    @app.get("/", response_class=HTMLResponse)
    def orders(request: Request) -> HTMLResponse:
        with Session(engine) as db:
            return templates.TemplateResponse(
                request, "orders.html", {"orders": db.scalars(select(Order).order_by(Order.id)).all()}
            )

    return app


app = create_app(Path(os.environ.get("SHOP_DB", HERE / "shop.db")))
hooks = app.state.hooks  # for `hookcatch send app:hooks ...`
