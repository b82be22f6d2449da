"""What is a rule of the template of new security groups on the wire?

Neutron API reference, security group default rules; extension security-groups-default-rules.
"""

from operator import attrgetter

from api.attributes import Attribute, Resource, Service, by, flag, itself
from api.resources.security_group_values import clause_attributes, rule_bookkeeping, rule_identity
from api.validators import boolean
from controller.services import default_security_group_rules
from controller.services.default_security_group_rules import DefaultRule


def _record(rule: DefaultRule) -> DefaultRule:
    return rule


DEFAULT_SECURITY_GROUP_RULE: Resource[DefaultRule, DefaultRule] = Resource(
    collection="default_security_group_rules",
    member="default_security_group_rule",
    doc="A rule new security groups start with; a remote group PARENT is the new group itself.",
    service=Service(
        create=default_security_group_rules.create,
        create_many=default_security_group_rules.create_many,
        get=default_security_group_rules.get,
        find=default_security_group_rules.find,
        update=None,
        delete=default_security_group_rules.delete,
    ),
    look=itself,
    identify=attrgetter("id"),
    attributes=(
        rule_identity(_record),
        *clause_attributes(_record),
        *(
            Attribute(
                name=name,
                doc=doc,
                show=attrgetter(name),
                key=name,
                parse=boolean,
                default=default,
                post=True,
                filter=by(name, flag),
            )
            for name, default, doc in (
                ("used_in_default_sg", False, "Projects' default groups start with the rule."),
                ("used_in_non_default_sg", True, "All other groups start with the rule."),
            )
        ),
        *rule_bookkeeping(_record, changes=False, says_nothing=""),
    ),
)
