"""The house: imports go down only, the core is pure, and what is imported is no more than what is used.

It reads the sources; it imports nothing of them.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "src" / "hookcatch"

ARROWS = {
    "core": set(),
    "signing": {"core"},
    "providers": {"core", "signing"},
    "doctor": {"core", "signing", "probe", "providers"},
    "inbox": {"core"},
    "observe": {"core"},
    "concurrency": {"core"},
    "keyring": {"core"},
    "suspicion": {"core", "doctor", "observe"},
    "relay": {"core", "observe", "signing"},
    "worker": {"core", "observe"},
    "runtime": {"core", "observe", "concurrency", "keyring", "suspicion", "worker"},
    "asgi": {"core", "concurrency", "runtime"},
    "wsgi": {"core", "runtime"},
    "router": {"core"},
    "probe": {"core"},
    "tenants": {"core", "signing", "providers"},
    "checks": {"core", "providers"},
    "order": {"core"},
    "source": {"core", "signing", "order", "probe", "providers", "tenants"},
    "app": {
        "checks",
        "core",
        "providers",
        "inbox",
        "keyring",
        "observe",
        "order",
        "router",
        "source",
        "tenants",
    },
    "hookcatch": {"core", "doctor", "router", "app"},
}
"""Who may import whom. What is not named here stands at the top and may import everything."""

LATE = {("app", name) for name in ("doctor", "suspicion", "relay", "runtime", "asgi", "wsgi")}
"""Inside functions only: a Hookcatch is an ASGI and a WSGI app, and importing it loads neither half."""

PURE = ("core", "signing", "providers", "doctor", "probe")
WORLD = frozenset(
    {
        "asyncio", "io", "logging", "multiprocessing", "os", "pathlib", "random", "selectors", "shutil", "signal",
        "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib.request", "http.client",
        "click", "rich", "starlette", "uvicorn", "flask", "django", "fastapi", "httpx", "requests",
    }
)  # fmt: skip
"""I/O, clocks, chance and frameworks."""


def modules() -> dict[str, Path]:
    """Every module by its dotted name, without `hookcatch.` in front."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__") or "hookcatch"] = path
    return found


MODULES = modules()


def layer(module: str) -> str:
    return module.partition(".")[0]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """What a module imports, by full name, and whether only inside a function. Types alone do not count."""

    def walk(node: ast.AST, late: bool) -> Iterator[tuple[str, bool]]:
        if is_type_checking(node):
            return
        if isinstance(node, ast.Import):
            yield from ((alias.name, late) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield (full if full.removeprefix("hookcatch.") in MODULES else base), late
        for child in ast.iter_child_nodes(node):
            yield from walk(child, late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    yield from walk(ast.parse(MODULES[module].read_text()), False)


def absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    here = ["hookcatch", *([] if module == "hookcatch" else module.split("."))]
    up = node.level - (MODULES[module].name == "__init__.py")
    return ".".join([*here[: len(here) - up], *([node.module] if node.module else [])])


def ours(module: str) -> Iterator[tuple[str, bool]]:
    for name, late in imports(module):
        if name == "hookcatch" or name.startswith("hookcatch."):
            yield name.removeprefix("hookcatch."), late


def test_the_parser_of_imports_sees_what_is_there():
    assert ("core.errors", False) in set(ours("core.flow"))
    assert ("asgi", True) in set(ours("app"))
    assert ("runtime", True) in set(ours("app"))
    assert ("sqlite3", False) in set(imports("inbox.sqlite"))
    assert ("app", False) in set(ours("hookcatch"))


@pytest.mark.parametrize("module", [name for name in MODULES if layer(name) in ARROWS])
def test_imports_go_down_only(module: str):
    here = layer(module)
    for name, late in ours(module):
        there = layer(name)
        allowed = there == here or there in ARROWS[here] or (late and (here, there) in LATE)
        assert allowed, (
            f"{module} imports {name}: {here} may import {sorted(ARROWS[here]) or 'nothing'} of ours"
        )


def test_every_layer_below_the_top_is_there():
    assert ARROWS.keys() <= {layer(name) for name in MODULES}


def test_no_module_is_reached_from_itself():
    graph = {name: {found for found, late in ours(name) if not late and found in MODULES} for name in MODULES}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError with the circle
    assert set(order) >= set(MODULES)


@pytest.mark.parametrize("module", [name for name in MODULES if layer(name) in PURE])
def test_the_core_the_schemes_and_the_providers_know_nothing_of_the_world(module: str):
    found = {name for name, _ in imports(module)}
    assert not [
        name for name in found if name in WORLD or name.partition(".")[0] in WORLD - {"urllib.request"}
    ]


def calls_of_the_clock(module: str) -> set[str]:
    clocks = {"time.time", "datetime.now", "datetime.utcnow", "date.today", "time.time_ns"}
    tree = ast.parse(MODULES[module].read_text())
    named = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return named & clocks


def test_one_module_alone_names_the_clock_and_hands_it_to_all_others():
    assert {name for name in MODULES if layer(name) != "cli" and calls_of_the_clock(name)} == {"app"}


DIGESTS = frozenset({"digest", "signature", "mac", "hmac", "token", "secret", "password"})


def compared_digests(code: str) -> list[str]:
    """Comparisons by `==` or `in` of something that is called a digest."""
    by = ast.Eq | ast.NotEq | ast.In | ast.NotIn
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Compare) and any(isinstance(one, by) for one in node.ops)
        if any(
            ast.unparse(side).rpartition(".")[2].lower() in DIGESTS for side in (node.left, *node.comparators)
        )
    ]


def test_nobody_compares_a_digest_with_equals_for_that_tells_how_much_of_it_was_right():
    assert compared_digests("a.digest == b; x != signature; token in known; len(mac) == 32; mac is None") == [
        "a.digest == b",
        "x != signature",
        "token in known",
    ]
    checked = [name for name in MODULES if layer(name) in {"core", "signing", "providers"}]
    assert {name: found for name in checked if (found := compared_digests(MODULES[name].read_text()))} == {}


def test_nothing_is_unpickled_or_evaluated():
    names = {"pickle", "marshal", "shelve", "dill", "yaml"}
    found = {module for module in MODULES for name, _ in imports(module) if name.partition(".")[0] in names}
    called = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}
    }
    assert (found, called) == (set(), set())


def test_there_are_no_global_statements():
    found = [
        f"{name}:{node.lineno}"
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Global)
    ]
    assert found == []


def run(code: str) -> str:
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ended.stdout


def test_importing_hookcatch_loads_no_edge_no_framework_and_no_loop():
    loaded = set(json.loads(run("import json, sys, hookcatch; print(json.dumps(list(sys.modules)))")))
    edges = {"asgi", "wsgi", "runtime", "worker", "concurrency", "cli", "testing", "inbox.sqlite"}
    assert not loaded & {f"hookcatch.{edge}" for edge in edges}
    assert not loaded & {"asyncio", "sqlite3", "starlette", "click", "rich", "uvicorn", "cryptography", "jwt"}


def test_the_root_has_at_most_twenty_names():
    shown = run(
        "import hookcatch, types\n"
        "print(*(name for name, value in vars(hookcatch).items()"
        " if not name.startswith('_') and not isinstance(value, types.ModuleType)))"
    ).split()
    assert len(shown) <= 20
    assert {"Hookcatch", "Router", "Event", "Retry", "Park", "Discard", "Transaction"} <= set(shown)


def test_every_name_of_the_root_is_documented():
    undocumented = run(
        "import hookcatch, types\n"
        "print(*(name for name, value in vars(hookcatch).items()"
        " if not name.startswith('_') and not isinstance(value, types.ModuleType) and not value.__doc__))"
    )
    assert undocumented.split() == []
