"""hookcatch in a Django project: add `hookcatch.django` to INSTALLED_APPS, include `hookcatch.django.urls`, and write
handlers in the `webhooks.py` of any installed app::

    from hookcatch.django import on

    @on("order.created", atomic=True)
    def fulfil(order: NewOrder) -> None:
        Order.objects.create(number=order.id)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .handlers import DjangoRouter

if TYPE_CHECKING:
    from hookcatch.app import Hookcatch

router: DjangoRouter = DjangoRouter()
"""All handlers of the project."""

on = router.on
fallback = router.fallback


def hooks() -> Hookcatch:
    """The project's Hookcatch, as settings.HOOKCATCH says. Raises ConfigurationError with what to change."""
    from django.apps import apps

    made: Hookcatch = apps.get_app_config("hookcatch").hooks
    return made


__all__ = ["fallback", "hooks", "on", "router"]
