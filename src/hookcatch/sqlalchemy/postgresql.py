"""PostgreSQL through psycopg."""

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from .joint import InThreads, Joint


class Joined(Joint, PGDialect_psycopg):
    """For plain sessions."""

    supports_statement_cache = True


class Awaited(InThreads, PGDialect_psycopg):
    """For async ones."""

    supports_statement_cache = True
