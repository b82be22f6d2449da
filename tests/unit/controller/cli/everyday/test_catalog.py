"""Does what the commands know agree with itself, and cost little?"""

import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli import main
from controller.cli.everyday.catalog import Noun, load

ROOT = Path(__file__).parents[5]
CATALOG = load()
NOUNS = [CATALOG.noun(noun) for noun in CATALOG.nouns()]


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.noun)
def test_every_verb_of_every_resource_has_help(noun: Noun, capsys: pytest.CaptureFixture[str]) -> None:
    word = noun.noun
    main_verbs = ["set"] if word == "host" else ["show", "list"]
    if word != "host":
        main_verbs += ["create"] if noun.creates else []
        main_verbs += ["delete"] if noun.deletes else []
    for verb in main_verbs:
        with pytest.raises(SystemExit) as ended:
            main([word, verb, "--help"])
        assert ended.value.code == 0
        assert f"usage: weft {word} {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.noun)
def test_options_are_distinct_and_references_lead_somewhere(noun: object) -> None:
    attributes = getattr(noun, "attributes", ())
    for given in ("create", "set", "filter"):
        options = [one.option for one in attributes if getattr(one, given)]
        assert len(set(options)) == len(options)
    collections = {one.collection for one in NOUNS}
    referred = {value.refers for one in attributes for value in (one, *one.keys) if value.refers}
    assert referred <= collections
    assert set(getattr(noun, "columns", ())) <= {one.name for one in attributes}


def test_a_client_command_imports_no_server() -> None:
    """Flask and SQLAlchemy would cost every command half a second; requests is for those that ask a server."""
    program = (
        "import sys\nfrom controller.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "costly = 'api', 'flask', 'sqlalchemy', 'requests', 'argcomplete'\n"
        "print([name for name in costly if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run([*command, "port", "create", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.endswith("[]\n")
    asked = ["network", "list", "--url", "http://127.0.0.1:1"]
    told = subprocess.run([*command, *asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.endswith("['requests']\n")
