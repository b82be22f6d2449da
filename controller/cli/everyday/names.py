"""Which object does a name mean? Names are for people and need not be unique; ids are for certain."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from uuid import UUID

from controller.cli.client import Client, CommandFailed, NotThere
from controller.cli.everyday.catalog import Catalog, Noun, load
from controller.cli.output import member, members

_MOST_NAMES = "500"
"""How many names are looked through for one that is like what was typed, or offered by the shell."""


class Names:
    """Finds ids, each once."""

    def __init__(self, client: Client, catalog: Catalog) -> None:
        self._client = client
        self._catalog = catalog
        self._found: dict[tuple[str, str], str] = {}

    def id(self, collection: str, given: str) -> str:
        """Return the id of the object that is called, or has the id, ``given``.

        Raises:
            CommandFailed: there is none, or several have the name.
        """
        key = collection, given
        if key not in self._found:
            self._found[key] = self._find(self._catalog.collection(collection), given)
        return self._found[key]

    def _find(self, noun: Noun, given: str) -> str:
        if not noun.has("name") and noun.has("network_name") and not is_id(given):
            return self.id("networks", given)  # the addresses of a network are known by the network
        if is_id(given) or not noun.has("name"):
            try:
                found = self._client.send("GET", noun.path, given, query=[("fields", "id")])
            except NotThere:
                if not noun.has("name"):
                    raise
            else:
                return str(member(found, noun.member).get("id", given))
        ids = [str(one["id"]) for one in self._list(noun, [*_named(noun, given), ("fields", "id")])]
        if len(ids) == 1:
            return ids[0]
        if ids:
            raise CommandFailed(f"{len(ids)} {noun.many} are called {given}: {', '.join(ids)}. Give an id.")
        raise NotThere(self._nobody(noun, given))

    def _nobody(self, noun: Noun, given: str) -> str:
        known = [str(one.get("name")) for one in self._list(noun, [("fields", "name"), ("limit", _MOST_NAMES)])]
        near = get_close_matches(given, [name for name in known if name], n=1)
        article = "an" if noun.words[0] in "aeiou" else "a"
        return f"There is no {noun.words} called {given}." + (
            f" Did you mean {near[0]}?"
            if near
            else f" See what there is with: weft {noun.noun} list"
            if known
            else f" There is none at all yet; {article} {noun.words} is made with: weft {noun.noun} create"
        )

    def _list(self, noun: Noun, query: Sequence[tuple[str, str]]) -> list[Mapping[str, object]]:
        return members(self._client.send("GET", noun.path, query=query), noun.collection)


def _named(noun: Noun, given: str) -> list[tuple[str, str]]:
    """Return the query for a name; of what has versions NAME:VERSION is one of them, and NAME the newest."""
    if not noun.has("version"):
        return [("name", given)]
    name, _, version = given.partition(":")
    newest = [("sort_key", "version"), ("sort_dir", "desc"), ("limit", "1")]
    return [("name", name), *([("version", version)] if version else newest)]


class Known:
    """Offers the shell the names of what exists; where the server is not there, nothing."""

    def __init__(self, collection: str) -> None:
        self._collection = collection

    def __call__(self, *, prefix: str, parsed_args: object, **_more: object) -> list[str]:
        """Return the names that begin with what is typed."""
        noun = load().collection(self._collection)
        word = "name" if noun.has("name") else "id"
        try:
            client = Client(str(getattr(parsed_args, "url", "")))
            found = members(
                client.send("GET", noun.path, query=[("fields", word), ("limit", _MOST_NAMES)]), noun.collection
            )
        except CommandFailed:
            return []
        return sorted({str(one.get(word)) for one in found if str(one.get(word) or "").startswith(prefix)})


def is_id(text: str) -> bool:
    """Say whether a text has the form of an id."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
