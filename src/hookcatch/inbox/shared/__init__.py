"""Inboxes in database servers: what PostgreSQL and MySQL have in common, and the same statements for SQLite."""
