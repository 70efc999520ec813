"""Inboxes in database servers: what PostgreSQL and MySQL have in common. Django puts its SQLite beside them."""
