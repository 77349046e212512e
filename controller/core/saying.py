"""One sentence for a person, not yet in a language: which it is and what it speaks of.

The sentences themselves stand in `controller.core.sentences`, English and Vietnamese side by side. What is written
into logs and stories is English (`str`); whoever answers a person asks for that person's language (`told`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from controller.core.sentences import SENTENCES

Language = Literal["en", "vi"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "vi")


@dataclass(frozen=True, slots=True)
class Saying:
    """A sentence by its name, and its parts; a part may be a saying itself."""

    name: str
    parts: tuple[tuple[str, object], ...] = ()

    def told(self, language: Language = "en") -> str:
        """The sentence in a language."""
        parts = {name: told(part, language) for name, part in self.parts}
        return SENTENCES[self.name][LANGUAGES.index(language)].format(**parts)

    def __str__(self) -> str:
        return self.told()


def say(name: str, /, **parts: object) -> Saying:
    """A sentence of the catalogue with its parts."""
    return Saying(name, tuple(parts.items()))


def told(what: object, language: Language) -> str:
    """A saying in a language; anything else as it is."""
    return what.told(language) if isinstance(what, Saying) else str(what)
