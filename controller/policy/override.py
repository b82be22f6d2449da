"""Which rules does an operator write differently? A TOML file of the table's names and expressions.

create_network = "admin"
"create_port:mac_address" = "admin or service"
"""

import tomllib
from pathlib import Path

from controller.errors import ConfigurationError
from controller.policy.expression import Expression, ExpressionError, parse
from controller.policy.rights import Policy, is_rule
from controller.policy.words import WORDS


def load(path: Path | None) -> Policy:
    """Return the policy with the changes of a file; without one, the table's.

    Raises:
        ConfigurationError: the file cannot be read, or one of its rules is unknown or no expression; it is named.
    """
    if path is None:
        return Policy()
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"policy-file {path}: {error}") from error
    changes: dict[str, Expression] = {}
    for name, text in content.items():
        if not is_rule(name):
            raise ConfigurationError(f"policy-file {path}: there is no rule {name!r}; docs/policy.md lists them")
        if not isinstance(text, str):
            raise ConfigurationError(f'policy-file {path}: rule {name!r} must be a text, for example "admin"')
        try:
            changes[name] = parse(text, WORDS)
        except ExpressionError as error:
            raise ConfigurationError(f"policy-file {path}: rule {name!r} = {text!r}: {error}") from error
    return Policy(changes)
