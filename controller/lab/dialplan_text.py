"""A dialplan as data: contexts, extensions and steps, read from the text of `extensions.conf`.

Only what the rules of `controller.lab.lint` look at is understood; a line that is not is reported, never skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_HEAD: Final = re.compile(r"\[(?P<name>[^\]]+)\](?:\([^)]*\))?")
_LINE: Final = re.compile(r"(?P<key>[a-z]+)\s*=>?\s*(?P<rest>.*)")
_PRIORITY: Final = re.compile(r"(?P<priority>\d+|n|hint|s)(?:\+\d+)?(?:\((?P<label>[^)]*)\))?")
_APP: Final = re.compile(r"(?P<app>[A-Za-z]\w*)(?:\((?P<args>.*)\))?", re.DOTALL)
_CONDITIONAL: Final = ("ExecIf", "Exec", "TryExec")


@dataclass(frozen=True, slots=True)
class Step:
    """One priority: an application and its arguments as they are written."""

    line: int
    context: str
    exten: str
    app: str
    args: str


@dataclass(slots=True)
class Context:
    """One context: its includes in order, and its steps in order."""

    name: str
    line: int
    includes: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def extens(self) -> list[str]:
        """Extensions in the order they were written, each once."""
        return list(dict.fromkeys(step.exten for step in self.steps))

    def of(self, exten: str) -> list[Step]:
        """The steps of one extension."""
        return [step for step in self.steps if step.exten == exten]


@dataclass(slots=True)
class Dialplan:
    """Every context by name, and the lines that could not be understood: (line, what is wrong)."""

    contexts: dict[str, Context] = field(default_factory=dict)
    odd: list[tuple[int, str]] = field(default_factory=list)

    def steps(self) -> Iterator[Step]:
        """Every step there is."""
        for context in self.contexts.values():
            yield from context.steps


def parse(text: str) -> Dialplan:
    """Read a dialplan; contexts of one name are one context, as Asterisk takes them."""
    reader = _Reader()
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _without_comment(raw).strip()
        if line and not line.startswith("#"):
            reader.take(number, line)
    return reader.found


class _Reader:
    """The state of reading: the context and the extension the next line belongs to."""

    def __init__(self) -> None:
        self.found = Dialplan()
        self._context: Context | None = None
        self._exten = ""
        self._variables = False

    def take(self, number: int, line: str) -> None:
        """Take one line that is neither empty nor a comment."""
        head = _HEAD.fullmatch(line)
        if head is not None:
            self._begin(number, head["name"])
        elif self._variables:
            return
        elif (found := _LINE.fullmatch(line)) is None or self._context is None:
            self.found.odd.append((number, f"a line of no known form: {line[:40]}"))
        elif found["key"] == "include":
            self._context.includes.append(found["rest"].partition(",")[0].strip())
        elif found["key"] in {"exten", "same"}:
            self._step(number, self._context, found["key"], found["rest"])
        else:
            self.found.odd.append((number, f"{found['key']} is not used here"))

    def _begin(self, number: int, name: str) -> None:
        self._variables = name in {"globals", "general"}
        self._exten = ""
        self._context = None if self._variables else self.found.contexts.setdefault(name, Context(name, number))

    def _step(self, number: int, context: Context, key: str, rest: str) -> None:
        if key == "exten":
            self._exten, _, rest = rest.partition(",")
            self._exten = self._exten.strip()
        priority, _, call = rest.partition(",")
        found = _APP.fullmatch(call.strip())
        if not self._exten or _PRIORITY.fullmatch(priority.strip()) is None or found is None or not balanced(call):
            self.found.odd.append((number, f"a step of no known form: {rest[:40]}"))
            return
        context.steps.append(Step(number, context.name, self._exten, found["app"], found["args"] or ""))


def _without_comment(line: str) -> str:
    """Cut a line at its comment; a semicolon behind a backslash begins none."""
    return re.split(r"(?<!\\);", line, maxsplit=1)[0]


def balanced(text: str) -> bool:
    """Whether brackets of each kind are opened and closed in order, those in character lists left out."""
    stack: list[str] = []
    pairs = {")": "(", "}": "{", "]": "["}
    for char in text.replace("()", ""):
        if char in pairs.values():
            stack.append(char)
        elif char in pairs and (not stack or stack.pop() != pairs[char]):
            return False
    return not stack


def inner(step: Step) -> Iterator[Step]:
    """The step itself, and the application it runs on a condition (`ExecIf(…?Dial(…))`)."""
    yield step
    if step.app in _CONDITIONAL:
        for part in _top_level(step.args, "?:" if step.app == "ExecIf" else ""):
            found = _APP.fullmatch(part.strip())
            if found is not None and found["args"] is not None:
                yield Step(step.line, step.context, step.exten, found["app"], found["args"])


def _top_level(text: str, at: str) -> list[str]:
    """Split a text at characters that stand in no bracket."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char in at and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def arguments(step: Step) -> list[str]:
    """The arguments of an application, split at commas that stand in no bracket."""
    return _top_level(step.args, ",")


def variables(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every `${NAME` in a text, with the functions it stands inside of, outermost first: ("EXTEN", ("FILTER",))."""
    stack: list[str] = []
    at = 0
    while at < len(text):
        if text.startswith("${", at):
            name = re.match(r"[A-Za-z_]\w*\(?", text[at + 2 :])
            word = name[0] if name else ""
            yield word.rstrip("("), tuple(entry for entry in stack if entry)
            stack.append(word.rstrip("(") if word.endswith("(") else "")
            at += 2
        elif text.startswith("$[", at):
            stack.append("")
            at += 2
        else:
            if text[at] in "{[":
                stack.append("")
            elif text[at] in "}]" and stack:
                stack.pop()
            at += 1


def reachable(plan: Dialplan, entry: str) -> list[str]:
    """Contexts a call can get to from those whose name contains `entry`: by include, Goto and Gosub."""
    found = [name for name in plan.contexts if entry in name]
    for name in found:
        context = plan.contexts.get(name)
        for target in targets(context) if context else ():
            if target not in found:
                found.append(target)
    return found


def targets(context: Context) -> Iterator[str]:
    """Contexts one context leads to: its includes, and where its steps jump."""
    yield from context.includes
    for step in context.steps:
        yield from _jumps(step)


def _jumps(step: Step) -> Iterator[str]:
    """Contexts one step can jump to."""
    if step.app in {"Goto", "Gosub"}:
        places = [step.args]
    elif step.app in {"GotoIf", "GosubIf", "GotoIfTime"}:
        places = re.split(r"[?:](?![^$]*[})\]]$)", re.sub(r"^\$\[.*\](?=\?)", "", step.args))
    else:
        return
    for place in places:
        parts = re.sub(r"\$\{.*\}", "", place).split(",")
        if len(parts) > 2:  # noqa: PLR2004 - context, extension, priority
            yield parts[0].strip("? ")
