"""Which extensions of the Neutron API does Weft have?

An alias is a promise: it is listed only while every part of the extension works. Names, descriptions and dates are
Neutron's, because clients show and compare them; those of ``weft-*`` are our own.
"""

import html
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flask import Flask, Response

from api.auth import Auth
from api.machinery import admit
from api.operations import Operation
from api.schema import ANYTHING, TEXT, array, record
from api.wire import API_ROOT, answer
from controller.plugins.contract import Feature

_READ = ("GET", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One extension as it is announced."""

    alias: str
    name: str
    description: str
    updated: str
    needs: Feature | None = None
    """What some plug-in must be able to do; None where the API alone keeps the promise."""

    def wire(self) -> dict[str, object]:
        """Return the extension as on the wire."""
        return {
            "name": self.name,
            "alias": self.alias,
            "description": self.description,
            "updated": self.updated,
            "links": [],
        }


EXTENSIONS: tuple[Extension, ...] = (
    Extension(
        alias="aap-reject-multicast",
        name="Allowed address pairs reject multicast extension",
        description="Reject multicast addresses in Allowed Address Pairs",
        updated="2026-04-01T00:00:00-00:00",
        needs=Feature.ALLOWED_ADDRESS_PAIRS,
    ),
    Extension(
        alias="address-group",
        name="Address group",
        description="Support address group",
        updated="2020-07-15T10:00:00-00:00",
        needs=Feature.ADDRESS_GROUPS,
    ),
    Extension(
        alias="address-scope",
        name="Address scope",
        description="Address scopes extension.",
        updated="2015-07-26T10:00:00-00:00",
    ),
    Extension(
        alias="default-subnetpools",
        name="Default Subnetpools",
        description="Provides ability to mark and use a subnetpool as the default.",
        updated="2016-02-18T18:00:00-00:00",
    ),
    Extension(
        alias="subnet_allocation",
        name="Subnet Allocation",
        description="Enables allocation of subnets from a subnet pool",
        updated="2015-03-30T10:00:00-00:00",
    ),
    Extension(
        alias="subnet_onboard",
        name="Subnet Onboard",
        description="Provides support for onboarding subnets into subnet pools",
        updated="2018-12-18T09:00:00-00:00",
    ),
    Extension(
        alias="subnetpool-prefix-ops",
        name="Subnet Pool Prefix Operations",
        description="Provides support for adjusting the prefix list of subnet pools",
        updated="2019-02-08T10:00:00-00:00",
    ),
    Extension(
        alias="agent",
        name="agent",
        description="The agent management extension.",
        updated="2013-02-03T10:00:00-00:00",
    ),
    Extension(
        alias="agent_sort_key",
        name="Agents Sort Key",
        description="Enabling the keyword sort_key for sorting in agents.",
        updated="2013-02-03T10:00:00-00:00",
    ),
    Extension(
        alias="allowed-address-pairs",
        name="Allowed Address Pairs",
        description="Provides allowed address pairs",
        updated="2013-07-23T10:00:00-00:00",
        needs=Feature.ALLOWED_ADDRESS_PAIRS,
    ),
    Extension(
        alias="availability_zone",
        name="Availability Zone",
        description="The availability zone extension.",
        updated="2015-01-01T10:00:00-00:00",
    ),
    Extension(
        alias="availability_zone_filter",
        name="Availability Zone Filter Extension",
        description="Add filter parameters to AvailabilityZone resource",
        updated="2018-06-22T10:00:00-00:00",
    ),
    Extension(
        alias="port-security-groups-filtering",
        name="Port filtering on security groups",
        description="Provides security groups filtering when listing ports",
        updated="2018-01-09T09:00:00-00:00",
    ),
    Extension(
        alias="security-group",
        name="security-group",
        description="The security groups extension.",
        updated="2012-10-05T10:00:00-00:00",
        needs=Feature.SECURITY_GROUPS,
    ),
    Extension(
        alias="security-groups-default-rules",
        name="Default rules for security groups",
        description="Configure set of security group rules used as default rules for every new security group",
        updated="2022-12-19T10:00:00-00:00",
    ),
    Extension(
        alias="security-groups-normalized-cidr",
        name="Normalized CIDR field for security group rules",
        description="Add new field with normalized remote_ip_prefix cidr in SG rule",
        updated="2020-07-28T10:00:00-00:00",
    ),
    Extension(
        alias="security-groups-remote-address-group",
        name="Remote address group id field for security group rules",
        description="Add new field of remote address group id in SG rules",
        updated="2020-08-25T10:00:00-00:00",
        needs=Feature.ADDRESS_GROUPS,
    ),
    Extension(
        alias="security-groups-rules-belongs-to-default-sg",
        name="Security group rule belongs to the project's default security group",
        description="Flag to determine if the security group rule belongs to the project's default security group",
        updated="2023-05-23T10:00:00-00:00",
    ),
    Extension(
        alias="security-groups-shared-filtering",
        name="Security group filtering on the shared field",
        description="Support filtering security groups on the shared field",
        updated="2021-10-05T09:00:00-00:00",
    ),
    Extension(
        alias="stateful-security-group",
        name="Stateful security group",
        description="Indicates if the security group is stateful or not",
        updated="2019-11-26T09:00:00-00:00",
        needs=Feature.STATELESS_SECURITY_GROUPS,
    ),
    Extension(
        alias="dns-domain-ports",
        name="dns_domain for ports",
        description="Allows the DNS domain to be specified for a network port.",
        updated="2017-04-24T10:00:00-00:00",
    ),
    Extension(
        alias="dns-integration",
        name="DNS Integration",
        description="Provides integration with DNS.",
        updated="2015-08-15T18:00:00-00:00",
    ),
    Extension(
        alias="empty-string-filtering",
        name="Empty String Filtering Extension",
        description="Allow filtering by attributes with empty string value",
        updated="2018-05-01T10:00:00-00:00",
    ),
    Extension(
        alias="external-net",
        name="Neutron external network",
        description="Adds external network attribute to network resource.",
        updated="2013-01-14T10:00:00-00:00",
    ),
    Extension(
        alias="extra_dhcp_opt",
        name="Neutron Extra DHCP options",
        description=(
            "Extra options configuration for DHCP. For example PXE boot options to DHCP clients can be specified "
            "(e.g. tftp-server, server-ip-address, bootfile-name)"
        ),
        updated="2013-03-17T12:00:00-00:00",
        needs=Feature.EXTRA_DHCP_OPTIONS,
    ),
    Extension(
        alias="filter-validation",
        name="Filter parameters validation",
        description="Provides validation on filter parameters.",
        updated="2018-07-04T10:00:00-00:00",
    ),
    Extension(
        alias="ip_allocation",
        name="IP Allocation",
        description="IP allocation extension.",
        updated="2016-06-10T23:00:00-00:00",
    ),
    Extension(
        alias="l2_adjacency",
        name="L2 Adjacency",
        description="Display L2 Adjacency for Neutron Networks.",
        updated="2016-04-12T16:00:00-00:00",
    ),
    Extension(
        alias="segment",
        name="Segment",
        description="Segments extension.",
        updated="2016-02-24T17:00:00-00:00",
    ),
    Extension(
        alias="standard-attr-segment",
        name="Standard Attribute Segment Extension",
        description="Add standard attributes to Segment resource",
        updated="2018-04-09T10:00:00-00:00",
    ),
    Extension(
        alias="subnet-segmentid-writable",
        name="Subnet SegmentID (writable)",
        description="Provides a writable segment_id attribute for a subnet resource.",
        updated="2018-03-12T00:00:00-00:00",
    ),
    Extension(
        alias="ip-substring-filtering",
        name="IP address substring filtering",
        description="Provides IP address substring filtering when listing ports",
        updated="2017-11-28T09:00:00-00:00",
    ),
    Extension(
        alias="net-mtu",
        name="Network MTU",
        description="Provides MTU attribute for a network resource.",
        updated="2015-03-25T10:00:00-00:00",
    ),
    Extension(
        alias="net-mtu-writable",
        name="Network MTU (writable)",
        description="Provides a writable MTU attribute for a network resource.",
        updated="2017-07-12T00:00:00-00:00",
    ),
    Extension(
        alias="network_availability_zone",
        name="Network Availability Zone",
        description="Availability zone support for network.",
        updated="2015-01-01T10:00:00-00:00",
    ),
    Extension(
        alias="network-ip-availability",
        name="Network IP Availability",
        description="Provides IP availability data for each network and subnet.",
        updated="2015-09-24T00:00:00-00:00",
    ),
    Extension(
        alias="network-ip-availability-details",
        name="Network IP Availability Details Extension",
        description="Add ip_availability_details attribute to network-ip-availabilities resource.",
        updated="2025-10-31T00:00:00-00:00",
    ),
    Extension(
        alias="pagination",
        name="Pagination support",
        description="Extension that indicates that pagination is enabled.",
        updated="2016-06-12T00:00:00-00:00",
    ),
    Extension(
        alias="binding",
        name="Port Binding",
        description="Expose port bindings of a virtual port to external application",
        updated="2014-02-03T10:00:00-00:00",
    ),
    Extension(
        alias="binding-extended",
        name="Port Bindings Extended",
        description="Expose port bindings of a virtual port to external application",
        updated="2017-07-17T10:00:00-00:00",
        needs=Feature.LIVE_MIGRATION,
    ),
    Extension(
        alias="multi-provider",
        name="Multi Provider Network",
        description="Expose mapping of virtual networks to multiple physical networks",
        updated="2013-06-27T10:00:00-00:00",
        needs=Feature.SEVERAL_SEGMENTS,
    ),
    Extension(
        alias="network-segment-range",
        name="Neutron Network Segment Range",
        description="Provides support for the network segment range management",
        updated="2018-11-29T00:00:00-00:00",
    ),
    Extension(
        alias="pvlan",
        name="Private VLAN",
        description="The Private VLAN semantics extension.",
        updated="2026-02-03T10:00:00-00:00",
        needs=Feature.PRIVATE_VLAN,
    ),
    Extension(
        alias="weft-network-data",
        name="Instance network data",
        description="Addresses, routes, DNS and MTU of a port or a device as cloud-init's network_data.json.",
        updated="2026-11-21T00:00:00-00:00",
    ),
    Extension(
        alias="port-mac-address-regenerate",
        name="Neutron Port MAC address regenerate",
        description="Network port MAC address regenerate",
        updated="2018-05-03T10:00:00-00:00",
    ),
    Extension(
        alias="subnet-service-types",
        name="Subnet service types",
        description="Provides ability to set the subnet service_types field",
        updated="2016-03-15T18:00:00-00:00",
    ),
    Extension(
        alias="port-security",
        name="Port Security",
        description="Provides port security",
        updated="2012-07-23T10:00:00-00:00",
        needs=Feature.PORT_SECURITY,
    ),
    Extension(
        alias="project-id",
        name="project_id field enabled",
        description="Extension that indicates that project_id field is enabled.",
        updated="2016-09-09T09:09:09-09:09",
    ),
    Extension(
        alias="provider",
        name="Provider Network",
        description="Expose mapping of virtual networks to physical networks",
        updated="2012-09-07T10:00:00-00:00",
    ),
    Extension(
        alias="rbac-policies",
        name="RBAC Policies",
        description=("Allows creation and modification of policies that control project access to resources."),
        updated="2015-06-17T12:15:12-00:00",
    ),
    Extension(
        alias="rbac-security-groups",
        name="Add security_group type to network RBAC",
        description="Add security_group type to network RBAC",
        updated="2019-02-14T00:00:00-00:00",
    ),
    Extension(
        alias="rbac-address-group",
        name="Add address_group type to RBAC",
        description="Add address_group type to network RBAC",
        updated="2021-01-20T00:00:00-00:00",
    ),
    Extension(
        alias="rbac-subnetpool",
        name="Add subnetpool type to RBAC",
        description="Add subnetpool type to RBAC",
        updated="2020-02-05T00:00:00-00:00",
    ),
    Extension(
        alias="rbac-address-scope",
        name="Add address_scope type to RBAC",
        description="Add address_scope type to RBAC",
        updated="2020-02-12T00:00:00-00:00",
    ),
    Extension(
        alias="quota-check-limit",
        name="Quota engine limit check",
        description="Support for checking the resource usage before applying a new quota limit",
        updated="2021-09-08T16:00:00-00:00",
    ),
    Extension(
        alias="quota-check-limit-default",
        name="Quota engine limit check by default",
        description="By default, the Neutron quota engine checks the resource usage before applying a new quota limit",
        updated="2024-08-21T16:00:00-00:00",
    ),
    Extension(
        alias="quotas",
        name="Quota management support",
        description="Expose functions for quotas management per project",
        updated="2012-07-29T10:00:00-00:00",
    ),
    Extension(
        alias="quota_details",
        name="Quota details management support",
        description="Expose functions for quotas usage statistics per project",
        updated="2017-02-10T10:00:00-00:00",
    ),
    Extension(
        alias="revision-if-match",
        name="If-Match constraints based on revision_number",
        description="Extension indicating that If-Match based on revision_number is supported.",
        updated="2016-12-11T00:00:00-00:00",
    ),
    Extension(
        alias="standard-attr-revisions",
        name="Resource revision numbers",
        description="This extension will display the revision number of neutron resources.",
        updated="2016-04-11T10:00:00-00:00",
    ),
    Extension(
        alias="sorting",
        name="Sorting support",
        description="Extension that indicates that sorting is enabled.",
        updated="2016-06-12T00:00:00-00:00",
    ),
    Extension(
        alias="standard-attr-description",
        name="standard-attr-description",
        description="Extension to add descriptions to standard attributes",
        updated="2016-02-10T10:00:00-00:00",
    ),
    Extension(
        alias="subnet-external-network",
        name="Subnet belongs to an external network",
        description="Informs if the subnet belongs to an external network",
        updated="2024-02-05T18:00:00-00:00",
    ),
    Extension(
        alias="standard-attr-tag",
        name="Tag support for resources with standard attribute: port, subnet, subnetpool, network, security_group, "
        "network_segment_range, address_group",
        description="Enables to set tag on resources with standard attribute.",
        updated="2017-01-01T00:00:00-00:00",
    ),
    Extension(
        alias="tag-creation",
        name="Tag creation extension",
        description="Allow to create multiple tags for a resource",
        updated="2024-23-07T10:00:00-00:00",
    ),
    Extension(
        alias="tag-ports-during-bulk-creation",
        name="Tag Ports During Bulk Creation",
        description="Allow to tag ports during bulk creation",
        updated="2019-12-29T19:00:00-00:00",
    ),
    Extension(
        alias="standard-attr-timestamp",
        name="Resource timestamps",
        description=(
            "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes."
        ),
        updated="2016-09-12T10:00:00-00:00",
    ),
    Extension(
        alias="weft-ipam",
        name="Address management",
        description="How a subnet's addresses are chosen, quarantined and reserved, which are free, and for how long",
        updated="2026-11-21T18:00:00-00:00",
    ),
    Extension(
        alias="weft-vnic",
        name="Weft vNICs",
        description="Virtual network interface cards, plugged into available ports of networks and taken out again.",
        updated="2026-11-21T00:00:00-00:00",
    ),
    Extension(
        alias="weft-usage",
        name="Weft usage",
        description="What each project has and consumes, now and over time, and the traffic of each port.",
        updated="2026-11-21T00:00:00-00:00",
    ),
    Extension(
        alias="weft-address-conflicts",
        name="Address conflicts",
        description="Addresses of subnets that somebody who is no port was seen to use; they are not given out.",
        updated="2026-11-21T00:00:00-00:00",
    ),
    Extension(
        alias="weft-plugins",
        name="Weft plug-ins",
        description="Says which plug-ins realise networks, what each can do, and lets administrators choose.",
        updated="2026-11-21T00:00:00-00:00",
    ),
    Extension(
        alias="weft-host",
        name="Weft hosts",
        description="Registers the hypervisors whose Open vSwitch Weft programs.",
        updated="2026-11-21T00:00:00-00:00",
    ),
    Extension(
        alias="weft-containers",
        name="Weft containers",
        description="Networks, ports, groups and vNICs made from flavors, changed and deleted together.",
        updated="2026-11-21T00:00:00-00:00",
    ),
    Extension(
        alias="weft-port-status",
        name="Weft port status",
        description="Says why a port has the status it has, and since when.",
        updated="2026-11-21T00:00:00-00:00",
    ),
    Extension(
        alias="weft-flows",
        name="Weft flows",
        description="Shows the live flows of a host with their owners and reasons.",
        updated="2026-11-21T00:00:00-00:00",
    ),
    Extension(
        alias="weft-traces",
        name="Weft traces",
        description="Says what becomes of a packet that a port sends, host by host and table by table, and why.",
        updated="2026-11-21T00:00:00-00:00",
        needs=Feature.TRACE,
    ),
)

_ROOT = f"{API_ROOT}/extensions"
_SHOWN = record({"name": TEXT, "alias": TEXT, "description": TEXT, "updated": TEXT, "links": array(ANYTHING)})

OPERATIONS = (
    Operation(
        method="GET",
        path=_ROOT,
        name="list_extensions",
        doc="List the extensions of the API that work.",
        answer=record({"extensions": array(_SHOWN)}, required=("extensions",)),
    ),
    Operation(
        method="GET",
        path=f"{_ROOT}/<alias>",
        name="show_extension",
        doc="Show an extension.",
        answer=record({"extension": _SHOWN}, required=("extension",)),
        faults={404: record({"message": TEXT, "code": TEXT, "title": TEXT}, required=("message",))},
    ),
)


class Extensions:
    """The documents under ``/v2.0/extensions``."""

    def __init__(self, extensions: Sequence[Extension], *, features: Collection[Feature], auth: Auth) -> None:
        """Take the extensions there may be, of which those are announced whose feature some plug-in has."""
        self._extensions = {
            extension.alias: extension
            for extension in extensions
            if extension.needs is None or extension.needs in features
        }
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add both documents to the application."""
        for path, view in ((_ROOT, self.every), (f"{_ROOT}/<alias>", self.one)):
            app.add_url_rule(
                path, endpoint=f"extensions:{path}", view_func=view, methods=_READ, provide_automatic_options=False
            )

    def every(self) -> Response:
        """Return all extensions."""
        admit(self._auth)
        return answer(200, {"extensions": [extension.wire() for extension in self._extensions.values()]})

    def one(self, alias: str) -> Response:
        """Return one extension; Neutron's answer for an unknown one is no NeutronError."""
        admit(self._auth)
        extension = self._extensions.get(alias)
        if extension is not None:
            return answer(200, {"extension": extension.wire()})
        message = f"Extension with alias {html.escape(alias)} does not exist"
        return answer(
            404,
            {
                "message": f"The resource could not be found.<br /><br />\n{message}\n\n",
                "code": "404 Not Found",
                "title": "Not Found",
            },
        )
