// Does gophercloud work against a running Weft?
//
//	apt install golang-go golang-github-gophercloud-gophercloud-dev
//	GO111MODULE=off GOPATH=/usr/share/gocode go run scripts/clients/gophercloud.go http://127.0.0.1:9696
package main

import (
	"fmt"
	"os"

	"github.com/gophercloud/gophercloud"
	"github.com/gophercloud/gophercloud/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/openstack/networking/v2/extensions/security/rules"
	"github.com/gophercloud/gophercloud/openstack/networking/v2/extensions/provider"
	"github.com/gophercloud/gophercloud/openstack/networking/v2/extensions/attributestags"
	"github.com/gophercloud/gophercloud/openstack/networking/v2/extensions/subnetpools"
	"github.com/gophercloud/gophercloud/openstack/networking/v2/extensions/quotas"
	"github.com/gophercloud/gophercloud/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/openstack/networking/v2/subnets"
	"github.com/gophercloud/gophercloud/openstack/common/extensions"
)

var ok, bad int

func t(name string, err error) {
	if err != nil {
		bad++
		fmt.Println("FAIL", name, err)
	} else {
		ok++
		fmt.Println("ok  ", name)
	}
}

func main() {
	root := os.Args[1] + "/"
	c := &gophercloud.ServiceClient{ProviderClient: &gophercloud.ProviderClient{}, Endpoint: root, ResourceBase: root + "v2.0/"}
	up := true
	n, err := networks.Create(c, networks.CreateOpts{Name: "gnet", AdminStateUp: &up}).Extract()
	t("networks.Create", err)
	var pn struct {
		networks.Network
		provider.NetworkProviderExt
	}
	t("networks.Get provider", networks.Get(c, n.ID).ExtractInto(&pn))
	fmt.Println("     ", pn.NetworkType, pn.SegmentationID)
	s, err := subnets.Create(c, subnets.CreateOpts{NetworkID: n.ID, CIDR: "10.66.0.0/24", IPVersion: 4, AllocationPools: []subnets.AllocationPool{{Start: "10.66.0.5", End: "10.66.0.50"}}, DNSNameservers: []string{"9.9.9.9"}}).Extract()
	t("subnets.Create", err)
	g, err := groups.Create(c, groups.CreateOpts{Name: "gsg"}).Extract()
	t("groups.Create", err)
	r, err := rules.Create(c, rules.CreateOpts{SecGroupID: g.ID, Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolTCP, PortRangeMin: 80, PortRangeMax: 80}).Extract()
	t("rules.Create", err)
	p, err := ports.Create(c, ports.CreateOpts{NetworkID: n.ID, Name: "gp", FixedIPs: []ports.IP{{SubnetID: s.ID}}, SecurityGroups: &[]string{g.ID}, AllowedAddressPairs: []ports.AddressPair{{IPAddress: "10.66.0.99"}}}).Extract()
	t("ports.Create", err)
	name := "gp2"
	_, err = ports.Update(c, p.ID, ports.UpdateOpts{Name: &name}).Extract()
	t("ports.Update", err)
	pages, err := ports.List(c, ports.ListOpts{NetworkID: n.ID, Limit: 1}).AllPages()
	t("ports.List paged", err)
	all, err := ports.ExtractPorts(pages)
	t("ports.Extract", err)
	fmt.Println("     ", len(all), "ports")
	pages, err = networks.List(c, networks.ListOpts{Name: "gnet"}).AllPages()
	t("networks.List", err)
	_, err = networks.ExtractNetworks(pages)
	t("networks.Extract", err)
	pages, err = extensions.List(c).AllPages()
	t("extensions.List", err)
	_, err = attributestags.ReplaceAll(c, "networks", n.ID, attributestags.ReplaceAllOpts{Tags: []string{"a"}}).Extract()
	t("tags.ReplaceAll", err)
	pages, err = subnetpools.List(c, subnetpools.ListOpts{}).AllPages()
	t("subnetpools.List", err)
	_, err = quotas.Get(c, "p").Extract()
	t("quotas.Get", err)
	_, err = networks.Get(c, "11111111-1111-1111-1111-111111111111").Extract()
	if _, is := err.(gophercloud.ErrDefault404); !is {
		t("404", fmt.Errorf("not a 404: %v", err))
	} else {
		t("404", nil)
	}
	t("ports.Delete", ports.Delete(c, p.ID).ExtractErr())
	t("rules.Delete", rules.Delete(c, r.ID).ExtractErr())
	t("groups.Delete", groups.Delete(c, g.ID).ExtractErr())
	t("subnets.Delete", subnets.Delete(c, s.ID).ExtractErr())
	t("networks.Delete", networks.Delete(c, n.ID).ExtractErr())
	fmt.Println(ok, "passed", bad, "failed")
}
