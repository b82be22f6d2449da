"""Who may do what? The whole policy, to be read from top to bottom.

A rule is named as Neutron's are: ``create_network`` for the action, ``create_network:shared`` for one attribute of it,
``create_port:fixed_ips:ip_address`` for a part of one. Both the action's rule and those of the attributes given have
to hold. The words are those of ``controller.policy.words``. The rules are the defaults of Neutron 29
(neutron/conf/policies) but where a comment says otherwise; those of Weft's own resources follow their style.

What stands nowhere in this table is for administrators.
"""

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    # --- networks
    "create_network": "admin or (member and owner)",
    "create_network:shared": "admin",
    "create_network:router:external": "admin",
    "create_network:is_default": "admin",
    "create_network:weft:plugin": "admin",  # Weft's own
    "create_network:segments": "admin",
    "create_network:provider:network_type": "admin",
    "create_network:provider:physical_network": "admin",
    "create_network:provider:segmentation_id": "admin",
    "get_network": "admin or service or (reader and owner) or shared or external",
    "get_network:segments": "admin",
    "get_network:weft:plugin": "admin",
    "get_network:provider:network_type": "admin",
    "get_network:provider:physical_network": "admin",
    "get_network:provider:segmentation_id": "admin",
    "update_network": "admin or (member and owner)",
    "update_network:shared": "admin",
    "update_network:router:external": "admin",
    "update_network:is_default": "admin",
    "update_network:segments": "admin",
    "update_network:provider:network_type": "admin",
    "update_network:provider:physical_network": "admin",
    "update_network:provider:segmentation_id": "admin",
    "delete_network": "admin or (member and owner)",
    # --- subnets
    "create_subnet": "admin or (member and network_owner)",
    "create_subnet:segment_id": "admin",
    "get_subnet": "admin or service or (reader and (owner or network_owner)) or shared or external",
    "get_subnet:segment_id": "admin",
    "update_subnet": "admin or (member and (owner or network_owner))",
    "update_subnet:segment_id": "admin",
    "delete_subnet": "admin or (member and (owner or network_owner))",
    # --- ports; flows trust a port whose device_owner begins with network:, so only few may say so
    "create_port": "admin or service or (member and network_owner) or shared",
    "create_port:device_id": "admin or service or (member and owner)",
    "create_port:device_owner": "not network_device or admin or service or (member and network_owner)",
    "create_port:mac_address": "admin or service or (member and network_owner)",
    "create_port:fixed_ips": "admin or service or (member and network_owner) or shared",
    "create_port:fixed_ips:ip_address": "admin or service or (member and network_owner)",
    "create_port:fixed_ips:subnet_id": "admin or service or (member and network_owner) or shared",
    "create_port:port_security_enabled": "admin or service or (member and network_owner)",
    "create_port:allowed_address_pairs": "admin or service or (member and network_owner)",
    "create_port:allowed_address_pairs:mac_address": "admin or service or (member and network_owner)",
    "create_port:allowed_address_pairs:ip_address": "admin or service or (member and network_owner)",
    "create_port:binding:vnic_type": "admin or service or (member and owner)",
    "create_port:binding:host_id": "admin or service",
    # Neutron keeps the profile, and bindings below, to the service role alone: an administrator may here, too.
    "create_port:binding:profile": "admin or service",
    "get_port": "admin or service or (reader and (owner or network_owner))",
    "get_port:binding:host_id": "admin or service",
    "get_port:binding:profile": "admin or service",
    "get_port:binding:vif_type": "admin or service",
    "get_port:binding:vif_details": "admin or service",
    "get_port:resource_request": "admin",
    "get_port:pvlan_type": "admin or (reader and owner)",
    "get_port:pvlan_community": "admin or (reader and owner)",
    "update_port": "admin or service or (member and owner)",
    "update_port:device_id": "admin or service or (member and owner)",
    "update_port:device_owner": "not network_device or admin or service or (member and network_owner)",
    "update_port:mac_address": "admin or service or (manager and network_owner)",
    "update_port:fixed_ips": "admin or service or (member and network_owner)",
    "update_port:fixed_ips:ip_address": "admin or service or (member and network_owner)",
    "update_port:fixed_ips:subnet_id": "admin or service or (member and network_owner) or shared",
    "update_port:port_security_enabled": "admin or service or (member and network_owner)",
    "update_port:allowed_address_pairs": "admin or service or (member and network_owner)",
    "update_port:allowed_address_pairs:mac_address": "admin or service or (member and network_owner)",
    "update_port:allowed_address_pairs:ip_address": "admin or service or (member and network_owner)",
    "update_port:binding:vnic_type": "admin or service or (member and owner)",
    "update_port:binding:host_id": "admin or service",
    "update_port:binding:profile": "admin or service",
    # A user deletes the port of a machine through the service whose machine it is.
    "delete_port": "admin or service or "
    "(member and (owner or network_owner) and (service_token or not instance_device))",
    # --- vNICs; a MAC address of their own becomes their port's, and is weighed as one given to a new port
    "create_vnic": "admin or (member and owner)",
    "get_vnic": "admin or (reader and owner)",
    "update_vnic": "admin or (member and owner)",
    "delete_vnic": "admin or (member and owner)",
    "plug_vnic": "admin or (member and owner)",
    "plug_vnic:mac_address": "admin or service or (member and network_owner)",
    "unplug_vnic": "admin or (member and owner)",
    # --- containers; what a container's members need is asked of each of them too
    "create_container_flavor": "admin or (member and owner)",
    "create_container_flavor:public": "admin",
    "get_container_flavor": "admin or (reader and owner) or shared",
    "update_container_flavor": "admin or (member and owner)",
    "update_container_flavor:public": "admin",
    "delete_container_flavor": "admin or (member and owner)",
    "roll_container_flavor": "admin or (member and (owner or shared))",
    "create_container": "admin or (member and owner)",
    "get_container": "admin or (reader and owner)",
    "get_container_drift": "admin or (reader and owner)",
    "update_container": "admin or (member and owner)",
    "delete_container": "admin or (member and owner)",
    "add_container_member": "admin or (member and owner)",
    "remove_container_member": "admin or (member and owner)",
    # --- bindings of ports (live migration)
    "get_port_binding": "admin or service",
    "create_port_binding": "admin or service",
    "update_port_binding": "admin or service",
    "delete_port_binding": "admin or service",
    "activate": "admin or service",
    # --- what Weft says about ports and devices
    "get_port_status": "admin or service or (reader and (owner or network_owner))",
    "get_network_data": "admin or service or (reader and (owner or network_owner))",
    "create_trace": "admin",
    "get_usage": "admin or (reader and owner)",
    # --- security groups
    "create_security_group": "admin or (member and owner)",
    "create_default_security_group": "admin or service or (reader and owner)",
    "get_security_group": "admin or (reader and owner) or shared",
    "update_security_group": "admin or (member and owner)",
    "delete_security_group": "admin or (member and owner)",
    "create_security_group_rule": "admin or (member and group_owner)",
    "get_security_group_rule": "admin or (reader and group_owner)",
    "update_security_group_rule": "admin or (member and group_owner)",
    "delete_security_group_rule": "admin or (member and group_owner)",
    "create_default_security_group_rule": "admin",
    "get_default_security_group_rule": "reader",
    "delete_default_security_group_rule": "admin",
    # --- address groups
    "create_address_group": "admin or (member and owner)",
    "get_address_group": "admin or (reader and owner) or shared",
    "update_address_group": "admin or (member and owner)",
    "delete_address_group": "admin or (member and owner)",
    "add_addresses": "admin or (member and owner)",
    "remove_addresses": "admin or (member and owner)",
    # --- sharing
    "create_rbac_policy": "admin or (member and owner)",
    "create_rbac_policy:target_project": "admin or not wildcard",
    "create_rbac_policy:target_tenant": "admin or not wildcard",
    "get_rbac_policy": "admin or (reader and owner)",
    "update_rbac_policy": "admin or (member and owner)",
    "update_rbac_policy:target_project": "admin or not wildcard",
    "update_rbac_policy:target_tenant": "admin or not wildcard",
    "delete_rbac_policy": "admin or (member and owner)",
    # --- segments and ranges of their numbers
    "create_segment": "admin",
    "get_segment": "admin",
    "update_segment": "admin",
    "delete_segment": "admin",
    "create_network_segment_range": "admin",
    "get_network_segment_range": "admin",
    "update_network_segment_range": "admin",
    "delete_network_segment_range": "admin",
    # --- subnet pools and address scopes
    "create_subnetpool": "admin or (member and owner)",
    "create_subnetpool:shared": "admin",
    "create_subnetpool:is_default": "admin",
    "get_subnetpool": "admin or (reader and owner) or shared",
    "update_subnetpool": "admin or (member and owner)",
    "update_subnetpool:is_default": "admin",
    "delete_subnetpool": "admin or (member and owner)",
    "onboard_network_subnets": "admin or (member and owner)",
    "add_prefixes": "admin or (member and owner)",
    "remove_prefixes": "admin or (member and owner)",
    "create_address_scope": "admin or (member and owner)",
    "create_address_scope:shared": "admin",
    "get_address_scope": "admin or (reader and owner) or shared",
    "update_address_scope": "admin or (member and owner)",
    "update_address_scope:shared": "admin",
    "delete_address_scope": "admin or (member and owner)",
    # --- tags, as their objects are seen and changed
    "get_networks_tags": "admin or service or (reader and owner) or shared or external",
    "create_networks_tags": "admin or (member and owner)",
    "update_networks_tags": "admin or (member and owner)",
    "delete_networks_tags": "admin or (member and owner)",
    "get_subnets_tags": "admin or service or (reader and (owner or network_owner)) or shared or external",
    "create_subnets_tags": "admin or (member and (owner or network_owner))",
    "update_subnets_tags": "admin or (member and (owner or network_owner))",
    "delete_subnets_tags": "admin or (member and (owner or network_owner))",
    "get_ports_tags": "admin or service or (reader and (owner or network_owner))",
    "create_ports_tags": "admin or service or (member and (owner or network_owner))",
    "update_ports_tags": "admin or service or (member and (owner or network_owner))",
    "delete_ports_tags": "admin or service or (member and (owner or network_owner))",
    "get_security_groups_tags": "admin or (reader and owner) or shared",
    "create_security_groups_tags": "admin or (member and owner)",
    "update_security_groups_tags": "admin or (member and owner)",
    "delete_security_groups_tags": "admin or (member and owner)",
    "get_subnetpools_tags": "admin or (reader and owner) or shared",
    "create_subnetpools_tags": "admin or (member and owner)",
    "update_subnetpools_tags": "admin or (member and owner)",
    "delete_subnetpools_tags": "admin or (member and owner)",
    "get_network_segment_ranges_tags": "admin",
    "create_network_segment_ranges_tags": "admin",
    "update_network_segment_ranges_tags": "admin",
    "delete_network_segment_ranges_tags": "admin",
    # --- the cloud; Neutron shows a project its own limits whatever the role
    "get_quota": "admin or service or (reader and owner)",
    "update_quota": "admin",
    "delete_quota": "admin",
    "get_agent": "admin",
    "update_agent": "admin",
    "delete_agent": "admin",
    "get_availability_zone": "reader",
    "get_network_ip_availability": "admin or service",
    "get_address_conflict": "admin or service or (reader and owner)",
    "delete_address_conflict": "admin or (member and owner)",
    "create_host": "admin",
    "get_plugin": "admin",
    "get_network_move": "admin",
    "move_network": "admin",
    "get_host": "admin",
    "update_host": "admin",
    "delete_host": "admin",
    "get_host_flows": "admin",
    "update_host_reconcile": "admin",
}

_STANDARD = "id name project_id tenant_id description tags created_at updated_at revision_number"
_CLAUSE = (
    "direction ethertype protocol port_range_min port_range_max remote_ip_prefix remote_group_id "
    "remote_address_group_id remote_ip normalized_cidr"
)

PLAIN: Mapping[str, str] = {
    "network": f"{_STANDARD} admin_state_up mtu status subnets shared port_security_enabled router:external pvlan "
    "availability_zone_hints availability_zones ipv4_address_scope ipv6_address_scope is_default dns_domain",
    "subnet": f"{_STANDARD} network_id ip_version subnetpool_id enable_dhcp ipv6_ra_mode ipv6_address_mode gateway_ip "
    "cidr prefixlen use_default_subnetpool allocation_pools host_routes dns_nameservers router:external service_types "
    "shared",
    "port": f"{_STANDARD} network_id mac_address admin_state_up status device_id device_owner fixed_ips "
    "port_security_enabled security_groups allowed_address_pairs pvlan_type pvlan_community extra_dhcp_opts "
    "binding:vnic_type attachment ip_allocation dns_name dns_domain dns_assignment",
    "security_group": f"{_STANDARD} stateful shared security_group_rules",
    "security_group_rule": f"{_STANDARD} {_CLAUSE} security_group_id belongs_to_default_sg",
    "default_security_group_rule": f"{_STANDARD} {_CLAUSE} used_in_default_sg used_in_non_default_sg",
    "address_group": f"{_STANDARD} addresses shared",
    "rbac_policy": f"{_STANDARD} object_type object_id action target_project target_tenant",
    "segment": f"{_STANDARD} network_id network_type physical_network segmentation_id",
    "network_segment_range": f"{_STANDARD} default shared network_type physical_network minimum maximum used available",
    "subnetpool": f"{_STANDARD} prefixes default_quota min_prefixlen max_prefixlen default_prefixlen address_scope_id "
    "ip_version shared is_default",
    "address_scope": f"{_STANDARD} ip_version shared",
    "container_flavor": f"{_STANDARD} version public template template_yaml",
    "container": f"{_STANDARD} flavor_id flavor flavor_version parameters endpoints members outputs status "
    "status_reason changes",
    "vnic": f"{_STANDARD} mac_address owner device_owner port_id network_id status",
    "agent": "id agent_type binary host topic admin_state_up created_at started_at heartbeat_timestamp alive "
    "configurations description availability_zone",
    "network_ip_availability": "network_id network_name project_id tenant_id subnet_ip_availability used_ips total_ips "
    "ip_availability_details",
    "address_conflict": "id project_id tenant_id network_id subnet_id ip_address mac_address kind how host "
    "behind_port_id port_id port_mac_address first_seen last_seen",
    "host": f"{_STANDARD} availability_zone ovsdb tunnel_ip datapath_type datapath_id physnets status ovsdb_connected "
    "openflow_connected programmed problem features seen_at adopt",
}
"""The attributes that need no more than their object's rule, except in an action above that names them."""
