"""The inbox in Django's admin: look, replay, discard. Nothing is added or changed, and what is done is logged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from hookcatch.core.ports import Inbox
from hookcatch.inbox.rules import DISCARDABLE, REPLAYABLE
from hookcatch.inbox.shared.text import text, untext
from hookcatch.observe.logs import escape

from . import hooks
from .models import Event, Run

SHOWN = 100_000
"""Bytes of a payload on its page."""
RECENT = 2000
"""Events that are looked through for the types to filter by."""
DAY = 86400.0


class SourceFilter(admin.SimpleListFilter):
    """The configured sources."""

    title = "source"
    parameter_name = "source"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        """By name."""
        return [(name, name) for name in hooks().sources]

    def queryset(self, request: Any, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """Of this source."""
        return queryset.filter(source=self.value()) if self.value() else queryset


class TypeFilter(admin.SimpleListFilter):
    """The types that came lately: to list all there are would read the whole table."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        """By name."""
        recent = model_admin.get_queryset(request).order_by("-seq").values_list("type", flat=True)[:RECENT]
        return [(text(name), escape(name)) for name in sorted(set(recent))]

    def queryset(self, request: Any, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """Of this type."""
        return queryset.filter(type=untext(self.value() or "")) if self.value() else queryset


class ReceivedFilter(admin.SimpleListFilter):
    """How long ago."""

    title = "received"
    parameter_name = "received"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        """In days."""
        return [("1", "last 24 hours"), ("7", "last 7 days"), ("30", "last 30 days")]

    def queryset(self, request: Any, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """Since then."""
        if self.value() not in ("1", "7", "30"):
            return queryset
        return queryset.filter(received_at__gte=hooks().clock() - int(self.value() or 0) * DAY)


def _text(name: str, title: str) -> Any:
    """A column of text from outside, in which nothing is hidden and nothing breaks a page."""

    @admin.display(description=title, ordering=name)
    def show(event: Event) -> str:
        return escape(getattr(event, name))

    return staticmethod(show)


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):
    """What came, what became of it, and why."""

    list_display = ("seq", "of_source", "of_type", "named", "state", "attempt", "received_on", "why")
    list_filter = (SourceFilter, "state", TypeFilter, ReceivedFilter)
    search_fields = ("event_id__exact",)
    search_help_text = "The sender's id of an event, whole."
    show_full_result_count = False
    ordering = ("-seq",)
    list_per_page = 50
    actions = ("replay", "discard")
    fields = (
        ("of_source", "of_tenant"),
        ("named", "of_type"),
        ("state", "why"),
        ("received_on", "due_on", "finished_on"),
        ("attempt", "lost", "replays"),
        ("duplicates", "conflicts", "replayed_content"),
        "attempts",
        "kept_headers",
        "payload",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only senders add events."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What came is not changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Retention lets events go; to discard one keeps it visible."""
        return False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """`hookcatch.replay_event`."""
        return bool(request.user.has_perm("hookcatch.replay_event"))

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """`hookcatch.discard_event`."""
        return bool(request.user.has_perm("hookcatch.discard_event"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """From the database of the inbox; a list has no need of bodies."""
        return super().get_queryset(request).using(_inbox().alias).defer("body", "reply")

    @admin.action(description="Replay: run the handlers again", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Event]) -> None:
        """Those that have ended and still have their payload."""
        now = hooks().clock()
        self._each(
            request,
            queryset.filter(state__in=REPLAYABLE),
            "Replayed",
            lambda inbox, seq: inbox.replay([seq], now=now).result(),
        )

    @admin.action(description="Discard: give up, for good", permissions=["discard"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Event]) -> None:
        """Those that are parked, failed or waiting."""
        now = hooks().clock()
        why = f"discarded in the admin by {request.user}"
        self._each(
            request,
            queryset.filter(state__in=DISCARDABLE),
            "Discarded",
            lambda inbox, seq: inbox.discard([seq], now=now, why=why).result(),
        )

    def _each(
        self, request: HttpRequest, chosen: QuerySet[Event], done: str, do: Callable[[Inbox, int], int]
    ) -> None:
        """One by one, so that the log tells of what was done and of nothing else."""
        inbox = _inbox()
        count = 0
        for event in chosen:
            if do(inbox, event.seq):
                count += 1
                self.log_change(request, event, f"{done}.")
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"{done}: {count}.", level)

    of_source: Any = _text("source", "source")
    of_tenant: Any = _text("tenant", "tenant")
    of_type: Any = _text("type", "type")
    named: Any = _text("event_id", "id")

    @admin.display(description="received", ordering="seq")
    def received_on(self, event: Event) -> Any:
        """When it came."""
        return event.received

    @admin.display(description="due, or leased until")
    def due_on(self, event: Event) -> Any:
        """When a worker takes it, or takes it over."""
        return event.due

    @admin.display(description="finished")
    def finished_on(self, event: Event) -> Any:
        """When it ended."""
        return event.finished

    @admin.display(description="reason")
    def why(self, event: Event) -> str:
        """Why it is not done."""
        return escape(event.error, 500)

    @admin.display(description="handlers")
    def attempts(self, event: Event) -> SafeString | str:
        """What each handler did."""
        runs = Run.objects.using(_inbox().alias).filter(event_id=event.seq).order_by("handler")
        return format_html_join(
            "",
            "<p>{}: <b>{}</b> after {} {} {}</p>",
            (
                (
                    escape(r.handler),
                    r.state,
                    r.attempts,
                    "attempts" if r.attempts > 1 else "attempt",
                    escape(r.error, 500),
                )
                for r in runs
            ),
        ) or ("none has run" if event.state != "ignored" else "none wants it")

    @admin.display(description="headers")
    def kept_headers(self, event: Event) -> SafeString:
        """Those that were kept; credentials never are."""
        lines = [escape(f"{name}: {value}", 2000) for name, value in json.loads(event.headers).items()]
        return format_html("<pre>{}</pre>", "\n".join(lines))

    @admin.display(description="payload")
    def payload(self, event: Event) -> SafeString | str:
        """As text, and nothing but text: it is a stranger's."""
        if event.body is None:
            return "past retention and gone"
        body = bytes(event.body)
        cut = f"\n... {len(body) - SHOWN} bytes more" if len(body) > SHOWN else ""
        return format_html(
            '<pre style="white-space: pre-wrap">{}{}</pre>',
            body[:SHOWN].decode("utf-8", "backslashreplace"),
            cut,
        )


def _inbox() -> Any:
    return hooks().inbox()
