"""Words that people would see and that go past the catalogue: in templates, in what they call, and in Python.

Three looks: letters in a template's HTML outside `{{ _() }}` and `{% trans %}`, the attributes that are read aloud
among them; sentences in a template's expressions (`button("Save")`); sentences in Python that are not an argument
of gettext. What is a sentence: two words with a space between, or one that begins with a capital.
"""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from jinja2 import Environment, nodes

SPOKEN = ("alt", "title", "placeholder", "aria-label", "aria-description", "aria-roledescription", "label")
"""Attributes that people see or hear."""
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_SENTENCE = re.compile(r"[^\W\d_]{2,}[,;:]? [^\W\d_]|^[A-Z][a-z]{2,}")
_TWO_WORDS = re.compile(r"[^\W\d_]{2,}[,;:]? [^\W\d_]{2,}")
_CODE = re.compile(r"^\s*(SELECT|UPDATE|INSERT|DELETE|CREATE)\b|^[\w.+-]+/[\w.+-]+;|=\"|^[a-z-]+: |</|<any\(")
"""SQL, media types, attributes, rules of style, tags, routes."""
_COMMAND = re.compile(r"regie( [\w-]+)+")
_HOLE = "￼"
"""Stands for what Jinja puts there."""
_GETTEXT = ("_", "_l", "_n", "gettext", "lazy", "lazy_gettext", "ngettext", "pgettext", "url_for")
_NOT_SHOWN = ("Rejected", "Unavailable", "TypeError", "ValueError", "RuntimeError", "KeyError", "PermissionError")
"""What these say goes to a log or a program; people get the words of `service.ui.problems`."""
_CLASSLIKE = ("class", "id", "href", "name", "value", "type", "layout")
NAMES = (
    "Regie",
    "English",
    "Nederlands",
    "QR",
    "CSV",
    "JSON-LD",
    "JSON",
    "LDV",
    "PDF",
    "BSN",
    "OIN",
    "Ctrl",
    "Tab",
)
"""The same in every language."""


class _Words(HTMLParser):
    """Collects text and spoken attributes, with the line where each stands."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style")
        self.found += [(self.getpos()[0], value) for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            line = self.getpos()[0] + data[: len(data) - len(data.lstrip())].count("\n")
            self.found.append((line, data))


def _plain_html(source: str, jinja: Environment) -> str:
    """The template with a hole for every expression, and nothing for blocks, comments and translated text."""
    out, is_translated, kind, words = [], False, "", []
    for _line, token, value in jinja.lex(source):
        if token == "data":
            out.append(re.sub(r"[^\n]", "", value) if is_translated else value)
        elif token in ("variable_begin", "block_begin", "comment_begin"):
            kind, words = token, []
        elif token == "variable_end":
            out.append(_HOLE)
        elif token == "block_end" and words:
            is_translated = words[0] == "trans" or (is_translated and words[0] != "endtrans")
        elif token == "name" and kind == "block_begin":
            words.append(value)
        if token != "data":
            out.append("\n" * value.count("\n"))
    return "".join(out)


def in_html(source: str, jinja: Environment) -> Iterator[tuple[int, str]]:
    """(line, text) of letters that stand in the HTML itself."""
    parser = _Words()
    parser.feed(_plain_html(source, jinja))
    parser.close()
    for line, text in parser.found:
        bare = _COMMAND.sub("", text)
        for name in NAMES:
            bare = bare.replace(name, "")
        if _LETTERS.search(bare):
            yield line, " ".join(text.split())


def in_expressions(source: str, jinja: Environment) -> Iterator[tuple[int, str]]:
    """(line, text) of sentences that a template passes on without asking the catalogue."""
    yield from _sentences(jinja.parse(source))


def _sentences(node: nodes.Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in _GETTEXT:
        return
    if isinstance(
        node, nodes.Compare | nodes.Test | nodes.Getitem | nodes.Import | nodes.FromImport | nodes.Extends
    ):
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and is_sentence(node.value):
        yield node.lineno, node.value
    for child in node.iter_child_nodes():
        if not (isinstance(node, nodes.Keyword) and node.key in _CLASSLIKE):
            yield from _sentences(child)


def is_sentence(text: str) -> bool:
    """Whether people would read this."""
    return bool(_SENTENCE.search(text)) and text.strip() not in NAMES and not _COMMAND.fullmatch(text.strip())


def in_python(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of sentences in a module that are neither docstring, error, nor argument of gettext."""
    yield from _python_sentences(ast.parse(source))


def _python_sentences(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Call) and _called(node.func) in (*_GETTEXT, *_NOT_SHOWN):
        return
    if isinstance(node, ast.Raise | ast.Subscript | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_shown(node.value):
        yield node.lineno, node.value
    for child in ast.iter_child_nodes(node):
        yield from _python_sentences(child)


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_shown(text: str) -> bool:
    """In Python a single capitalised word is mostly a header or a name: two words it takes, and no code."""
    return bool(_TWO_WORDS.search(text)) and not _CODE.search(text)


def of_file(path: Path, jinja: Environment) -> list[tuple[int, str]]:
    """(line, text) of everything in `path` that goes past the catalogue."""
    source = path.read_text()
    if path.suffix == ".py":
        return list(in_python(source))
    return sorted({*in_html(source, jinja), *in_expressions(source, jinja)})
