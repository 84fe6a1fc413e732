"""INCAR: tags, and the numbers in them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vasp_standin.refusal import Refusal

TRUE, FALSE = (".TRUE.", "T", ".T.", "TRUE"), (".FALSE.", "F", ".F.", "FALSE")


@dataclass(frozen=True)
class Incar:
    """The tags of an INCAR, names in capitals, values as text."""

    tags: dict[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.tags

    def integer(self, name: str, default: int) -> int:
        """Return an integer tag; raise Refusal when it is none."""
        return default if name not in self.tags else convert(name, self.tags[name].split()[0], int)

    def real(self, name: str, default: float) -> float:
        """Return a real tag; raise Refusal when it is none."""
        return default if name not in self.tags else convert(name, self.tags[name].split()[0], float)

    def logical(self, name: str, default: bool) -> bool:
        """Return a logical tag; raise Refusal when it is none."""
        text = self.tags.get(name, ".TRUE." if default else ".FALSE.").upper()
        if text not in TRUE + FALSE:
            raise Refusal(unreadable(name))
        return text in TRUE

    def numbers(self, name: str, count: int) -> np.ndarray:
        """Return the `count` numbers of a list such as `3*0.0 1.0`; raise Refusal for any other count."""
        values = [value for word in self.tags.get(name, "").split() for value in expand(name, word)]
        if len(values) != count:
            raise Refusal(f"{unreadable(name)}\n Error code was IERR= 0. Found N= {len(values)} data, wanted {count}.")
        return np.array(values)


def read_incar(path: Path) -> Incar:
    """Return the tags of a file; raise Refusal when it is missing."""
    if not path.is_file():
        raise Refusal(" ERROR: no INCAR found, STOPPING")
    tags: dict[str, str] = {}
    for line in path.read_text().replace("\\\n", " ").replace(";", "\n").splitlines():
        name, equals, value = line.split("#")[0].split("!")[0].partition("=")
        if equals:
            tags.setdefault(name.strip().upper(), value.strip())
    return Incar(tags)


def expand(name: str, word: str) -> list[float]:
    """Return the numbers of `1.5` or `4*1.5`."""
    count, star, value = word.partition("*")
    return [convert(name, value, float)] * convert(name, count, int) if star else [convert(name, word, float)]


def convert(name: str, text: str, kind: type) -> float:
    """Return the text as a number; raise Refusal in the words of VASP."""
    try:
        return kind(text)
    except ValueError:
        raise Refusal(unreadable(name)) from None


def unreadable(name: str) -> str:
    """Return how VASP complains about a tag."""
    return f" Error reading item '{name}' from file INCAR."
