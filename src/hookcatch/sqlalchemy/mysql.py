"""MySQL and MariaDB through PyMySQL."""

from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql

from .joint import InThreads, Joint


class Joined(Joint, MySQLDialect_pymysql):
    """For plain sessions."""

    supports_statement_cache = True


class Awaited(InThreads, MySQLDialect_pymysql):
    """For async ones."""

    supports_statement_cache = True
