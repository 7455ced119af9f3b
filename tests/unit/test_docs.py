# SPDX-License-Identifier: Apache-2.0
"""What a program can check of the documentation: that nothing is left out, that links lead somewhere, examples work."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from openfex.cli.app import app
from openfex.cli.failure import lines_of
from openfex.cli.here import is_about_here
from openfex.cli.storage import is_about_storage
from openfex.errors import DocumentError
from openfex.model.documents import SPECS
from openfex.model.drops import DropReason
from openfex.model.kinds import FORMS
from openfex.model.reader import of_spec, read_documents
from openfex.model.real import SriovSpec
from openfex.model.real_storage import NvmeSpec
from openfex.model.reference import all_below, kind_key
from openfex.plan.layout import lay_out
from openfex.plan.storage_wishes import wish_of
from openfex.plan.wishes import wishes_of

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "openfex"
REFERENCE = ROOT / "docs" / "reference"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"[a-z]+(-[a-z]+)*(-[a-z]+[0-9]*)")
NO_CODES = {"model/catalogue.py", "model/adapters.py", "model/kinds.py"}
"""Here words joined by hyphens are names: of models, of drivers, of forms."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def pages() -> tuple[Path, ...]:
    """Every page that people wrote."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
    return tuple(sorted(found))


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(path.read_text()) if kind == language]


def words(path: Path) -> set[str]:
    """What stands in backticks on a page."""
    return set(re.findall(r"`([^`\n]+)`", path.read_text()))


def literals(folder: str) -> Iterator[str]:
    """The string literals of a room that could be codes."""
    for path in sorted((SRC / folder).rglob("*.py")):
        if str(path.relative_to(SRC)) in NO_CODES:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                yield node.value


def trees() -> Iterator[ast.Module]:
    """The sources, read."""
    for path in sorted(SRC.rglob("*.py")):
        yield ast.parse(path.read_text())


def takers() -> dict[str, set[int]]:
    """By name of a class or function that takes a `code`, where among its arguments; several may have one name."""
    found: dict[str, set[int]] = {}
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef):
            names = [one.arg for one in node.args.args if one.arg not in {"self", "cls"}]
        elif isinstance(node, ast.ClassDef):
            names = [ast.unparse(one.target) for one in node.body if isinstance(one, ast.AnnAssign)]
        else:
            continue
        if "code" in names:
            found.setdefault(node.name, set()).add(names.index("code"))
    return found


def given_codes() -> Iterator[str]:
    """Every code of an error, a refusal or a line of a log that the sources write out, and those by default."""
    where = takers()
    for node in (node for tree in trees() for node in ast.walk(tree)):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            values = [one.value for one in node.keywords if one.arg == "code"]
            values += [node.args[at] for at in where.get(name, ()) if at < len(node.args)]
        elif isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == ["default_code"]:
            yield str(ast.literal_eval(node.value))
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and CODE.fullmatch(value.value):
                yield value.value


def written_words() -> set[str]:
    """Every string literal of the sources, and the code at the end of one; `unknown-{kind}` of what can be lost."""
    found = set()
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value, *re.findall(r"\[([a-z-]+)\]$", node.value)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "inventory.lost":
            found.add(f"unknown-{ast.literal_eval(node.args[1])}")
    return found


CODE_TABLE = re.compile(r"^\| code \|.*\n\| --- .*\n((?:\|.*\n)+)", re.MULTILINE)
NEVER_EXPECTED = re.compile(r"^### Never expected\n.*?(?=^#|\Z)", re.MULTILINE | re.DOTALL)


def told_codes() -> Iterator[str]:
    """Every code that has its place in the reference: in the first column of a table of codes, or as never expected."""
    for path in sorted(REFERENCE.glob("*.md")):
        text = path.read_text()
        cells = [row.split("|")[1] for table in CODE_TABLE.findall(text) for row in table.splitlines()]
        for cell in [*cells, *NEVER_EXPECTED.findall(text)]:
            yield from re.findall(r"`([^`\n]+)`", cell)


@pytest.mark.parametrize("reason", [one for one in DropReason if one is not DropReason.NONE], ids=lambda one: one.word)
def test_every_drop_reason_has_its_row(reason: DropReason) -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", (REFERENCE / "drop-reasons.md").read_text(), re.MULTILINE)
    assert rows.count(reason.word) == 1


def test_no_row_is_of_a_drop_reason_that_there_is_not() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", (REFERENCE / "drop-reasons.md").read_text(), re.MULTILINE)
    assert set(rows) <= {one.word for one in DropReason}


def test_every_refusal_of_a_document_is_told() -> None:
    found = {*literals("plan"), *literals("model")}
    assert {"bad-yaml", "duplicate-mac", "too-many-functions"} <= found, "the search does not find codes any more"
    assert sorted(found - words(REFERENCE / "documents.md")) == []


def test_every_code_is_told() -> None:
    found = set(given_codes())
    assert {"no-lab", "not-verified", "bad-yaml", "vsi-refused", "mac-taken", "vepa-learns", "no-svid"} <= found
    assert sorted(found - set(told_codes())) == []


def test_no_code_is_told_that_there_is_not() -> None:
    found = set(told_codes())
    assert {"no-lab", "vsi-refused", "vepa-learns", "internal", "other-subject"} <= found
    assert sorted(found - written_words()) == []


def test_every_kind_and_key_is_told() -> None:
    told = words(REFERENCE / "documents.md")
    keys = {part for word in told for part in word.split(".")}
    missing = [f"{kind}.{key}" for kind, spec in SPECS.items() for key in spec.model_fields if key not in keys]
    text = (REFERENCE / "documents.md").read_text()
    assert not missing
    assert [kind for kind in SPECS if f"\n## {kind}\n" not in text] == []


def commands() -> Iterator[tuple[str, set[str]]]:
    """Each command, and its options."""
    for name in app:
        for part in app[name] if not name.startswith("-") else ():
            if not part.startswith("-"):
                yield f"{name} {part}", options(app[name][part])
        if not name.startswith("-") and all(part.startswith("-") for part in app[name]):
            yield name, options(app[name])


def options(command: object) -> set[str]:
    collection = command.assemble_argument_collection()  # type: ignore[attr-defined]
    return {name for argument in collection for name in argument.names if name.startswith("-")}


@pytest.mark.parametrize(("name", "found"), list(commands()), ids=lambda one: one if isinstance(one, str) else "")
def test_every_command_and_option_is_told(name: str, found: set[str]) -> None:
    text = (REFERENCE / "commands.md").read_text()
    assert f"`fex {name}" in text
    assert [option for option in found if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)] == []


def pages_script() -> ModuleType:
    """docs/pages.py as a module."""
    spec = importlib.util.spec_from_file_location("openfex_docs_pages", ROOT / "docs" / "pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_made_from_the_sources_is_current() -> None:
    """`nox -s pages` makes it so."""
    script = pages_script()
    texts = [path.read_text() for path in script.PAGES]
    assert [script.page(text) for text in texts] == texts
    assert script.schema() == script.SCHEMA.read_text()
    forms = {form.replace("-", "_") for form in FORMS}
    made = {found[1] for text in texts for found in script.BLOCK.findall(text)}
    assert made == {"values", "budgets", *forms, *script.format_tables(), *script.MACHINES}


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_examples_fit_the_schema(path: Path) -> None:
    text = path.read_text()
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named
    schema = json.loads((path.parent / named[1]).read_text())
    validator = Draft202012Validator(schema)
    validator.check_schema(schema)
    for document in YAML(typ="safe").load_all(text):
        assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_examples_lay_out(path: Path) -> None:
    reading = read_documents(path.read_text(), str(path))
    if is_about_here(reading):
        assert [wish for document, spec in of_spec(reading, SriovSpec) for wish in wishes_of(document.name, spec)]
        return
    if is_about_storage(reading):
        assert [wish_of(document.name, spec) for document, spec in of_spec(reading, NvmeSpec)]
        return
    layout = lay_out(reading)
    assert layout.bridges
    assert layout.hosts


def places(value: object) -> Iterator[str]:
    """The paths of all keys in a value, as `all_below` gives them."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield f".{key}"
            yield from (f".{key}{place}" for place in places(one))
    elif isinstance(value, list):
        yield from (f".RULE{place}" for one in value for place in places(one))


def test_an_example_uses_every_key_of_profiles() -> None:
    documents = YAML(typ="safe").load_all((ROOT / "examples" / "policy.yaml").read_text())
    used = {f"profile{place}" for one in documents if one["kind"] == "profile" for place in places(one["spec"])}
    used |= {place.replace(".out", ".in").replace(".deny", ".permit") for place in used}
    assert [key.path for key in all_below(kind_key("profile")) if key.path not in used] == []


def test_the_tutorial_writes_its_example() -> None:
    """Its YAML, put together, is the file that it says it is."""
    text = "".join(blocks(ROOT / "docs" / "guide" / "tutorial.md", "yaml"))
    written, example = (
        [yaml for yaml in YAML(typ="safe").load_all(one) if yaml]
        for one in (text, (ROOT / "examples" / "two-hosts.yaml").read_text())
    )
    assert written == example


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=name_of)
def test_documents_on_a_page_can_be_read(path: Path) -> None:
    for text in blocks(path, "yaml"):
        assert read_documents(text, name_of(path)).problems == ()


REFUSED = re.compile(r"^\$ (sed .*) \| (?:\./)?fex plan -(?: --json)?\n((?:fex: .*\n)+)", re.MULTILINE)
"""A sample of a page: an example that is changed until it is refused, and what is said."""


@pytest.mark.parametrize("path", pages(), ids=name_of)
def test_what_pages_say_is_refused_is_refused_so(path: Path) -> None:
    for command, said in REFUSED.findall(path.read_text()):
        changed = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=True).stdout
        with pytest.raises(DocumentError) as refused:
            lay_out(read_documents(changed, "standard input"))
        assert said.splitlines() == lines_of(refused.value)


def anchors(path: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", pages(), ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text())
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", text)):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{name_of(path)} links to {link}"
        assert target.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(target), f"{name_of(path)} links to {link}"


def test_tests_that_pages_name_are_there() -> None:
    """In tables of what comes of an event, the test that shows it."""
    there = {
        name for path in (ROOT / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    named = {name for path in pages() for name in re.findall(r"`(test_\w+)`", path.read_text())}
    assert len(named) > 50
    assert named - there == set()
