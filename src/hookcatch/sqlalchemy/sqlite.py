"""SQLite."""

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from .joint import InThreads, Joint


class Joined(Joint, SQLiteDialect_pysqlite):
    """For plain sessions."""

    supports_statement_cache = True


class Awaited(InThreads, SQLiteDialect_pysqlite):
    """For async ones."""

    supports_statement_cache = True
