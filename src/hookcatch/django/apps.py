"""The app: `hookcatch.django` in INSTALLED_APPS."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.signals import setting_changed
from django.utils.module_loading import autodiscover_modules

from hookcatch.app import Hookcatch
from hookcatch.core.errors import ConfigurationError

logger: logging.Logger = logging.getLogger("hookcatch")


class HookcatchConfig(AppConfig):
    """Finds the handlers and builds the project's Hookcatch."""

    name = "hookcatch.django"
    label = "hookcatch"
    verbose_name = "Webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    @cached_property
    def conf(self) -> Any:
        """The settings, checked. Raises ConfigurationError."""
        from . import conf

        return conf.read(getattr(settings, conf.SETTING, None))

    @cached_property
    def hooks(self) -> Hookcatch:
        """The project's Hookcatch, checked as a whole. Raises ConfigurationError."""
        from . import conf, router

        made = conf.build(self.conf)
        made.include(router)
        made.build(blocking=not self.conf.asynchronous)
        return made

    def ready(self) -> None:
        """Import every app's `webhooks.py`. What is wrong is told here to servers and by the checks to commands;
        commands that have nothing to do with webhooks go on."""
        from .checks import check_all

        autodiscover_modules("webhooks")
        checks.register(check_all, "hookcatch")
        setting_changed.connect(self._forget, dispatch_uid="hookcatch")
        try:
            _ = self.hooks
        except ConfigurationError as why:
            logger.critical("webhooks cannot be received: %s", why)

    def _forget(self, *, setting: str, **_: Any) -> None:
        """A test has other settings."""
        if setting in ("HOOKCATCH", "DATABASES"):
            self.__dict__.pop("hooks", None)
            self.__dict__.pop("conf", None)
