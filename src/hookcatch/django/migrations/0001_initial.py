"""The tables of the inbox."""

import django.db.models.deletion
from django.db import migrations, models

import hookcatch.django.models
import hookcatch.django.tables


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[hookcatch.django.tables.BringUpToDate()],
            state_operations=[
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        (
                            "seq",
                            models.BigAutoField(primary_key=True, serialize=False, verbose_name="number"),
                        ),
                        ("event_key", models.CharField(editable=False, max_length=64)),
                        ("source", hookcatch.django.models.StoredText()),
                        ("tenant", hookcatch.django.models.StoredText()),
                        ("event_id", hookcatch.django.models.StoredText(verbose_name="id")),
                        ("type", hookcatch.django.models.StoredText()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("pending", "pending"),
                                    ("running", "running"),
                                    ("handling", "handling"),
                                    ("failed", "failed"),
                                    ("succeeded", "succeeded"),
                                    ("ignored", "ignored"),
                                    ("invalid", "invalid"),
                                    ("dead", "dead"),
                                    ("discarded", "discarded"),
                                ],
                                max_length=16,
                            ),
                        ),
                        ("at", models.FloatField()),
                        ("received_at", models.FloatField()),
                        ("occurred_at", models.FloatField(null=True)),
                        ("body", models.BinaryField(null=True)),
                        ("has_body", models.SmallIntegerField()),
                        ("body_hash", models.CharField(max_length=64)),
                        ("content_key", models.CharField(max_length=64, null=True)),
                        ("format", models.CharField(max_length=16)),
                        ("headers", models.TextField()),
                        ("lane", models.CharField(editable=False, max_length=64, null=True)),
                        ("lane_key", hookcatch.django.models.StoredText(null=True)),
                        ("lane_limit", models.IntegerField()),
                        ("ordered", models.BooleanField()),
                        ("blocks", models.BooleanField()),
                        ("version", models.FloatField(null=True)),
                        ("behind", models.SmallIntegerField()),
                        ("lease_token", models.CharField(max_length=255, null=True)),
                        ("leased_at", models.FloatField(null=True)),
                        ("attempt", models.IntegerField()),
                        ("lost", models.IntegerField()),
                        ("replays", models.IntegerField()),
                        ("duplicates", models.IntegerField()),
                        ("conflicts", models.IntegerField()),
                        ("replayed_content", models.BooleanField()),
                        ("error", hookcatch.django.models.StoredText(blank=True)),
                        ("reply", models.TextField(null=True)),
                    ],
                    options={
                        "db_table": "hookcatch_event",
                        "ordering": ("-seq",),
                        "permissions": (
                            ("replay_event", "Can run events again"),
                            ("discard_event", "Can discard events"),
                        ),
                        "default_permissions": ("view",),
                        "indexes": [
                            models.Index(
                                fields=["state", "has_body", "behind", "at"], name="hookcatch_event_due"
                            ),
                            models.Index(fields=["content_key"], name="hookcatch_event_content"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("event_key",), name="hookcatch_event_key")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Run",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "event_id",
                                "run_key",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("run_key", models.CharField(editable=False, max_length=64)),
                        ("handler", hookcatch.django.models.StoredText()),
                        ("state", models.CharField(max_length=16)),
                        ("attempts", models.IntegerField()),
                        ("run_at", models.FloatField(null=True)),
                        ("error", hookcatch.django.models.StoredText(blank=True)),
                        ("started_at", models.FloatField(null=True)),
                        ("finished_at", models.FloatField(null=True)),
                        (
                            "event",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="runs",
                                to="hookcatch.event",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "hookcatch_run",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="Secret",
                    fields=[
                        ("secret_key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                        ("source", hookcatch.django.models.StoredText()),
                        ("tenant", hookcatch.django.models.StoredText()),
                        ("secret", models.BinaryField()),
                    ],
                    options={"db_table": "hookcatch_secret", "default_permissions": ()},
                ),
            ],
        ),
    ]
