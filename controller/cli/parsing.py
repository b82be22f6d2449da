"""What is said when a command line is wrong? What was typed, and what was probably meant."""

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

_INVALID = re.compile(r"(?s)(?P<where>.*)invalid choice: '(?P<word>[^']*)' \(choose from (?P<known>.*)\)")
_OPTION = re.compile(r"--[a-z][a-z0-9-]*")


class Parser(argparse.ArgumentParser):
    """A parser that guesses; parsers of commands are of the same class, as argparse makes them."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuse an unknown option first: it is likelier to be misspelt than another to be missing."""
        if args is not None and self.get_default("run") is not None:  # a command, no group of them
            self._refuse_unknown(args)
        return super().parse_known_args(args, namespace)

    def _refuse_unknown(self, args: Sequence[str]) -> None:
        known = {"--help", *_OPTION.findall(self.format_usage())}
        for given in args:
            word = given.partition("=")[0]
            if word == "--":
                return
            if word.startswith("--") and not any(option.startswith(word) for option in known):
                self.error(f"there is no option {word}.{hint(word, sorted(known))}")

    def error(self, message: str) -> NoReturn:
        """Print the message and where help is, and end with status 2; argparse would print a long usage first."""
        self.exit(2, f"usage: {self.prog} ... (see --help)\n{self.prog}: error: {explained(message)}\n")


def explained(message: str) -> str:
    """Return argparse's message with a guess in place of a long list.

    >>> explained("argument COMMAND: invalid choice: 'netwrok' (choose from 'network', 'port')")
    "argument COMMAND: there is no 'netwrok'. Did you mean network?"
    """
    found = _INVALID.fullmatch(message)
    if found is None:
        return message
    known = re.findall(r"'([^']*)'", found["known"]) or [word.strip() for word in found["known"].split(",")]
    return f"{found['where']}there is no '{found['word']}'.{hint(found['word'], known)}"


def hint(word: str, known: Sequence[str]) -> str:
    """Return what may have been meant, or what there is."""
    near = get_close_matches(word, known, n=3, cutoff=0.6)
    if near:
        return f" Did you mean {' or '.join(near)}?"
    return f" There are: {', '.join(known)}." if known else ""
