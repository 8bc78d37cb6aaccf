"""The house rules, read off the tree. Whoever forks the project reads this as the architecture."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "domains": set(),
    "retrieval": {"domains"},
    "adapters": {"domains"},
    "ingest": {"domains", "retrieval", "adapters"},
    "service": {"domains", "ingest", "retrieval", "adapters"},
    "evals": {"domains", "ingest", "retrieval", "adapters", "service"},
}
PEER = "evals/benchmarks/straightforward.py"  # another service, to compare speed with
ONLY_IN = {
    "chromadb": {"retrieval/index.py"},
    "fastapi": {"service/", PEER},
    "torch": {"adapters/", PEER},
    "peft": {"adapters/", PEER},
    "transformers": {"adapters/"},
    "sentence_transformers": {"adapters/", PEER},
}
SOURCES = sorted(p for folder in MAY_IMPORT for p in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_layers_and_owners_of_libraries(path):
    folder, name = path.relative_to(ROOT).parts[0], str(path.relative_to(ROOT))
    ours = imported(path) & set(MAY_IMPORT)
    assert ours - {folder} <= MAY_IMPORT[folder], f"{name} imports {sorted(ours - {folder} - MAY_IMPORT[folder])}"
    for library in imported(path) & set(ONLY_IN):
        assert any(name.startswith(place) for place in ONLY_IN[library]), f"{name} imports {library}"


def test_modules_import_each_other_without_cycles():
    edges = {}
    for path in SOURCES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(path.read_text("utf-8"))
        edges[module] = {n.module for n in tree.body if isinstance(n, ast.ImportFrom) and n.module}
    seen, path = set(), []

    def walk(module):
        assert module not in path, " -> ".join([*path, module])
        if module in seen or module not in edges:
            return
        path.append(module)
        for target in edges[module]:
            walk(target)
        path.pop()
        seen.add(module)

    for module in edges:
        walk(module)


def part_of_service(*parts):
    """A sub-package of service, or one of the modules beside them; drift stands apart from metrics and traces."""
    if parts[:3] == ("service", "monitoring", "drift"):
        return "monitoring/drift"
    return parts[1]


def test_the_parts_of_service_import_each_other_in_one_direction():
    edges = {}
    for path in (p for p in SOURCES if p.is_relative_to(ROOT / "service") and p.name != "__init__.py"):
        own = part_of_service(*path.relative_to(ROOT).with_suffix("").parts)
        modules = {n.module for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.ImportFrom)}
        named = {part_of_service(*m.split(".")) for m in modules if m and m.startswith("service.")}
        edges.setdefault(own, set()).update(named - {own})
    list(TopologicalSorter(edges).static_order())  # raises CycleError
    edge = {"api", "console", "cli"}  # where the world comes in: nothing else imports them
    importers = {own for own, named in edges.items() if named & edge}
    assert importers <= edge, importers


def test_no_class_name_stands_twice():
    places = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_no_room_for_things_without_a_place():
    for path in SOURCES:
        assert not set(path.relative_to(ROOT).with_suffix("").parts) & {"utils", "common", "core", "helpers"}, path


def test_every_path_and_function_that_readme_names_exists():
    text = (ROOT / "README.md").read_text("utf-8")
    for path, function in re.findall(r"`([\w/]+\.py):(\w+)`", text):
        names = {n.name for n in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))) if hasattr(n, "name")}
        assert function in names, f"README names {path}:{function}"
    for path in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (ROOT / path).exists(), f"README links to {path}"
    assert len(text.splitlines()) < 200
    assert next(n for n, line in enumerate(text.splitlines(), 1) if "make run" in line) < 25
