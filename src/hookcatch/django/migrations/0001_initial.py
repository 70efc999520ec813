"""The tables of the inbox."""

import django.db.models.deletion
from django.db import migrations, models

import hookcatch.django.models

TABLES = ("django_hookcatch_event", "django_hookcatch_run", "django_hookcatch_secret")


def _keep_every_text(apps, schema_editor):  # type: ignore[no-untyped-def]
    """MySQL makes tables in the character set of the database, which may be one that cannot hold what senders write,
    and compares by a collation to which `Evt` is `evt`."""
    if schema_editor.connection.vendor == "mysql":
        for table in TABLES:
            schema_editor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.CreateModel(
            name="Event",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False, verbose_name="number")),
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
                ("lease_token", models.CharField(max_length=100, null=True)),
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
                "db_table": "django_hookcatch_event",
                "ordering": ("-seq",),
                "permissions": (
                    ("replay_event", "Can run events again"),
                    ("discard_event", "Can discard events"),
                ),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["state", "has_body", "at"], name="hookcatch_event_due"),
                    models.Index(fields=["content_key"], name="hookcatch_event_content"),
                ],
                "constraints": [models.UniqueConstraint(fields=("event_key",), name="hookcatch_event_key")],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
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
                "db_table": "django_hookcatch_run",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("event", "run_key"), name="hookcatch_run_key")
                ],
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
            options={"db_table": "django_hookcatch_secret", "default_permissions": ()},
        ),
        migrations.RunPython(_keep_every_text, migrations.RunPython.noop, atomic=False),
    ]
