from __future__ import annotations

import subprocess
import sys
import time

import pytest

from hookcatch.core.errors import ConfigurationError
from hookcatch.inbox import open_inbox
from hookcatch.inbox.memory import MemoryInbox
from hookcatch.inbox.sqlite import SqliteInbox


def test_a_url_names_its_inbox_and_opens_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_inbox("memory:", clock=time.time), MemoryInbox)
    assert isinstance(open_inbox("sqlite:///shop.db", clock=time.time), SqliteInbox)
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_is_below_the_working_directory_and_an_absolute_one_is_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///a%20b.db?disk_floor=0", f"sqlite:///{tmp_path}/c.db?disk_floor=0"):
        inbox = open_inbox(url, clock=time.time)
        inbox.open()
        inbox.close()
    assert {path.name for path in tmp_path.glob("*.db")} == {"a b.db", "c.db"}


@pytest.mark.parametrize("url", ["oracle://x", "", "inbox.db", "SQLITE3:///x"])
def test_an_unknown_scheme_is_refused_with_what_to_write(url):
    with pytest.raises(ConfigurationError, match="write memory:, sqlite:///relative"):
        open_inbox(url, clock=time.time)


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:", "sqlite:///", "sqlite://host/x.db", "sqlite:x.db", "sqlite:///d/"]
)
def test_sqlite_without_a_file_is_refused_with_what_to_write(url):
    with pytest.raises(ConfigurationError, match="sqlite:////absolute/path"):
        open_inbox(url, clock=time.time)


def test_options_stand_in_the_query():
    url = "sqlite:///a.db?busy_timeout=2.5&disk_floor=7&checkpoint=9&ballast=0&any_file_system=1"
    inbox = open_inbox(url, clock=time.time)
    assert isinstance(inbox, SqliteInbox)
    options = inbox.options
    assert (options.busy_timeout, options.disk_floor, options.checkpoint) == (2.5, 7, 9)
    assert (options.ballast, options.any_file_system) == (0, True)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:///a.db?bussy=1", "there are busy_timeout, disk_floor"),
        ("sqlite:///a.db?disk_floor=much", "disk_floor cannot be 'much'"),
        ("sqlite:///a.db?any_file_system=maybe", "any_file_system cannot be 'maybe'"),
        ("sqlite:///a.db?checkpoint=", "checkpoint cannot be ''"),
        ("memory:?size=3", "there are keep"),
    ],
)
def test_a_wrong_option_is_refused_by_name(url, why):
    with pytest.raises(ConfigurationError, match=why):
        open_inbox(url, clock=time.time)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "redis", "nats"])
def test_a_wrong_option_does_not_show_the_password(scheme):
    with pytest.raises(ConfigurationError, match="durability cannot be 'some'") as why:
        open_inbox(f"{scheme}://u:se@cret@host/shop?durability=some", clock=time.time)
    assert "cret" not in str(why.value)


def test_the_memory_inbox_loads_no_database():
    code = "import sys, hookcatch.inbox as i; i.open_inbox('memory:', clock=id); sys.exit('sqlite3' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
