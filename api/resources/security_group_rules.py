"""What is a security group rule on the wire?

Neutron API reference, security group rules; extensions security-groups-normalized-cidr,
security-groups-remote-address-group, security-groups-rules-belongs-to-default-sg.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from api.attributes import Attribute, Default, Resource, Service, by, flag, optional
from api.common import OWNER
from api.resources.security_group_values import clause_attributes, reference, rule_bookkeeping, rule_identity
from api.schema import BOOLEAN, PREFIX, TEXT, or_null
from api.validators import Refused, described
from controller.caller import Caller
from controller.records import SecurityGroupRule
from controller.services import security_group_rules, security_groups
from controller.services.rule_checks import normalized_cidr
from controller.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """A rule, and what only its group knows."""

    rule: SecurityGroupRule
    belongs_to_default_sg: bool | None


def embedded(rule: SecurityGroupRule) -> dict[str, object]:
    """Return a rule as it is shown inside its group."""
    view = RuleView(rule=rule, belongs_to_default_sg=None)
    shown = {attribute.name: attribute.show(view) for attribute in SECURITY_GROUP_RULE.attributes}
    return shown | {"tags": []}


def _rule(view: RuleView) -> SecurityGroupRule:
    return view.rule


@described(TEXT)
def _group(value: object) -> object:
    """Return the id of a rule's group; Neutron does not ask whether it is a UUID."""
    group_id = reference(value)
    if group_id is None:
        raise Refused(f"'{value}' is not a valid string")
    return group_id


def _look(tx: Transaction, _caller: Caller, rules: Sequence[SecurityGroupRule]) -> list[RuleView]:
    default_groups = security_group_rules.in_default_groups(tx, rules)
    return [RuleView(rule=rule, belongs_to_default_sg=rule.security_group_id in default_groups) for rule in rules]


SECURITY_GROUP_RULE: Resource[SecurityGroupRule, RuleView] = Resource(
    collection="security_group_rules",
    member="security_group_rule",
    doc="One kind of traffic a security group lets through.",
    service=Service(
        create=security_group_rules.create,
        create_many=security_group_rules.create_many,
        get=security_group_rules.get,
        find=security_group_rules.find,
        update=security_group_rules.update,
        delete=security_group_rules.delete,
    ),
    look=_look,
    identify=lambda rule: rule.id,
    before_list=security_groups.before_listing,
    attributes=(
        rule_identity(_rule),
        *(
            Attribute(
                name=name,
                doc=doc,
                show=lambda view: view.rule.project_id,
                key="project_id",
                parse=OWNER,
                shows=TEXT,
                post=True,
                filter=by("project_id"),
                sort="project_id",
            )
            for name, doc in (
                ("project_id", "The project the rule was made in."),
                ("tenant_id", "The older name of project_id."),
            )
        ),
        Attribute(
            name="security_group_id",
            doc="The group the rule belongs to.",
            show=lambda view: view.rule.security_group_id,
            key="security_group_id",
            parse=_group,
            default=Default.REQUIRED,
            post=True,
            filter=by("security_group_id"),
            sort="security_group_id",
        ),
        *clause_attributes(_rule),
        Attribute(
            name="normalized_cidr",
            doc="remote_ip_prefix without host bits.",
            show=lambda view: normalized_cidr(view.rule.remote_ip_prefix),
            filter=by("normalized_cidr", optional),
            sort="normalized_cidr",
            shows=or_null(PREFIX),
        ),
        Attribute(
            name="belongs_to_default_sg",
            doc="Whether the group is its project's default group.",
            show=lambda view: view.belongs_to_default_sg,
            filter=by("belongs_to_default_sg", flag),
            shows=BOOLEAN,
        ),
        *rule_bookkeeping(_rule, changes=True),
    ),
)
