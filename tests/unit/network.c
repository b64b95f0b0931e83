/*
 * tests/unit/network.c -- networks: read, written, refused, updated.
 *
 * usage: network SCHEMAS
 */
#include <assert.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "model/network.h"
#include "model/schemas.h"

static const char everything[] =
	"<network ipv6='yes'>\n"
	"  <name>lab</name>\n"
	"  <uuid>12345678-1234-4234-8234-123456789abc</uuid>\n"
	"  <metadata>\n"
	"    <a:b xmlns:a=\"http://example.org/a\"/>\n"
	"  </metadata>\n"
	"  <forward dev='eth0' mode='nat'>\n"
	"    <nat ipv6='yes'>\n"
	"      <address start='192.0.2.1' end='192.0.2.9'/>\n"
	"      <port start='2000' end='3000'/>\n"
	"    </nat>\n"
	"    <interface dev='eth0'/>\n"
	"  </forward>\n"
	"  <bridge name='labbr' stp='off' delay='3'/>\n"
	"  <mtu size='9000'/>\n"
	"  <mac address='52:54:00:aa:bb:cc'/>\n"
	"  <domain name='lab.example' localOnly='yes'/>\n"
	"  <dns forwardPlainNames='no'>\n"
	"    <forwarder domain='example.com' addr='192.0.2.53'/>\n"
	"    <txt name='t' value='some text, more'/>\n"
	"    <srv service='sip' protocol='tcp' domain='lab.example' "
	"target='s' port='5060' priority='1' weight='2'/>\n"
	"    <host ip='10.9.0.2'>\n"
	"      <hostname>one</hostname>\n"
	"      <hostname>two</hostname>\n"
	"    </host>\n"
	"  </dns>\n"
	"  <bandwidth>\n"
	"    <inbound average='1000' peak='5000' burst='1024'/>\n"
	"    <outbound average='128'/>\n"
	"  </bandwidth>\n"
	"  <ip address='10.9.0.1' netmask='255.255.255.0'>\n"
	"    <tftp root='/srv/tftp'/>\n"
	"    <dhcp>\n"
	"      <range start='10.9.0.100' end='10.9.0.200'>\n"
	"        <lease expiry='1' unit='hours'/>\n"
	"      </range>\n"
	"      <host mac='52:54:00:00:00:01' name='one' ip='10.9.0.2'/>\n"
	"      <bootp file='pxelinux.0' server='10.9.0.1'/>\n"
	"    </dhcp>\n"
	"  </ip>\n"
	"  <ip family='ipv6' address='2001:db8::1' prefix='64'/>\n"
	"  <route family='ipv4' address='10.10.0.0' prefix='16' "
	"gateway='10.9.0.2'/>\n"
	"  <portgroup name='red' default='yes'>\n"
	"    <vlan>\n"
	"      <tag id='42'/>\n"
	"    </vlan>\n"
	"  </portgroup>\n"
	"</network>\n";

static struct network_def *parse(const char *xml)
{
	struct network_def *def = NULL;
	struct error err = { 0 };

	if (network_def_parse(xml, NETWORK_VALIDATE, &def, &err) < 0)
		fprintf(stderr, "%s\n", err.message);
	assert(def);
	return def;
}

static void test_round_trip(void)
{
	struct network_def *def = parse(everything);
	struct network_def *copy = network_def_copy(def);
	_cleanup_free_ char *text = NULL;

	network_def_free(def);
	text = network_def_format(copy, 0);
	if (strcmp(text, everything))
		fprintf(stderr, "%s", text);
	assert(!strcmp(text, everything));
	network_def_free(copy);
}

/* What libvirt's packages ship, as little as it is. */
static void test_defaults(void)
{
	struct network_def *def = parse(
		"<network><name>default</name><bridge name='virbr0'/>"
		"<forward/><ip address='192.168.122.1' netmask='255.255.255.0'>"
		"<dhcp><range start='192.168.122.2' end='192.168.122.254'/>"
		"</dhcp></ip></network>");

	assert(def->mode == NET_NAT && def->has_mac && def->uuid_given);
	assert(def->forward.nat.port_start == 1024);
	assert(str_eq(def->stp, "on") && str_eq(def->delay, "0"));
	network_def_free(def);
	def = parse("<network><name>alone</name></network>");
	assert(def->mode == NET_ISOLATED && !def->forward.has_nat);
	network_def_free(def);
}

static void test_refused(void)
{
#define IP(inside) \
	"<network><name>n</name><ip address='10.0.0.1' prefix='24'>" \
	inside "</ip></network>"
	static const char *const bad[] = {
		"<network/>",
		"<network><name>a/b</name></network>",
		"<network><name>n</name><forward mode='sideways'/></network>",
		"<network><name>n</name><forward mode='bridge'/></network>",
		"<network><name>n</name><bridge name='a/b'/></network>",
		"<network><name>n</name><bridge name='sixteen-letters-'/>"
		"</network>",
		"<network><name>n</name><ip address='10.0.0'/></network>",
		"<network><name>n</name><ip address='10.0.0.1' prefix='33'/>"
		"</network>",
		"<network><name>n</name><ip address='10.0.0.1' "
		"netmask='255.0.255.0'/></network>",
		IP("<dhcp><range start='10.0.0.9' end='10.0.0.2'/></dhcp>"),
		IP("<dhcp><range start='10.0.1.9' end='10.0.1.20'/></dhcp>"),
		IP("<dhcp><host name='a b' ip='10.0.0.2'/></dhcp>"),
		IP("<dhcp><host mac='52:54:00:00:00' ip='10.0.0.2'/></dhcp>"),
		IP("<dhcp><host id='a&#10;dhcp-script=/x' ip='10.0.0.2'/>"
		   "</dhcp>"),
		IP("<dhcp><bootp file='x&#10;y'/></dhcp>"),
		"<network><name>n</name><dns><txt name='a' value='b&#10;c'/>"
		"</dns></network>",
		"<network><name>n</name><dns><forwarder/></dns></network>",
		"<network><name>n</name><domain name='a&#10;b'/></network>",
		"<network><name>n</name><portgroup name='a'/>"
		"<portgroup name='a'/></network>",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct network_def *def = NULL;
		struct error err = { 0 };

		if (network_def_parse(bad[i], 0, &def, &err) == 0)
			fprintf(stderr, "accepted: %s\n", bad[i]);
		assert(!def && err.message[0]);
	}
}

static int update(struct network_def *def, int command, int section,
		  const char *xml)
{
	struct error err = { 0 };

	return network_def_update(def, command, section, -1, xml, &err);
}

static void test_update(void)
{
	struct network_def *def = parse(everything);
	const int host = VIR_NETWORK_SECTION_IP_DHCP_HOST;

	assert(update(def, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, host,
		      "<host mac='52:54:00:00:00:02' ip='10.9.0.3'/>") == 0);
	assert(def->ips[0].n_hosts == 2 && str_eq(def->ips[0].hosts[1].ip, "10.9.0.3"));
	/* The address is taken. */
	assert(update(def, VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST, host,
		      "<host mac='52:54:00:00:00:03' ip='10.9.0.3'/>") < 0);
	assert(update(def, VIR_NETWORK_UPDATE_COMMAND_MODIFY, host,
		      "<host mac='52:54:00:00:00:02' ip='10.9.0.4'/>") == 0);
	assert(str_eq(def->ips[0].hosts[1].ip, "10.9.0.4"));
	assert(update(def, VIR_NETWORK_UPDATE_COMMAND_DELETE, host,
		      "<host mac='52:54:00:00:00:01'/>") == 0);
	assert(def->ips[0].n_hosts == 1);
	assert(update(def, VIR_NETWORK_UPDATE_COMMAND_DELETE, host,
		      "<host mac='52:54:00:00:00:01'/>") < 0);
	/* Checked as a whole definition is. */
	assert(update(def, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, host,
		      "<host mac='52:54:00:00:00:09' ip='10.8.0.4'/>") < 0);
	assert(update(def, VIR_NETWORK_UPDATE_COMMAND_MODIFY,
		      VIR_NETWORK_SECTION_IP_DHCP_RANGE,
		      "<range start='10.9.0.100' end='10.9.0.200'/>") < 0);
	assert(update(def, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
		      VIR_NETWORK_SECTION_DNS_HOST,
		      "<host ip='10.9.0.8'><hostname>x</hostname></host>") ==
	       0);
	assert(update(def, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
		      VIR_NETWORK_SECTION_BRIDGE, "<bridge/>") < 0);
	network_def_free(def);
}

static void test_move(void)
{
	struct network_def *def = parse(everything);
	char *xml;

	assert(!network_def_moves(def));
	free(def->metadata);
	def->metadata = xstrdup("<a/><v:subnet xmlns:v='urn:vireo:network' "
				"choose='free'/>");
	assert(network_def_moves(def));
	assert(network_def_move(def, 7));
	assert(network_def_complete(def, NULL) == 0);
	xml = network_def_format(def, 0);
	assert(strstr(xml, "<ip address='192.168.7.1' "));
	assert(strstr(xml, "start='192.168.7.100' end='192.168.7.200'"));
	assert(strstr(xml, "name='one' ip='192.168.7.2'"));
	assert(strstr(xml, "server='192.168.7.1'"));
	assert(strstr(xml, "<host ip='192.168.7.2'"));
	assert(strstr(xml, "gateway='192.168.7.2'"));
	assert(strstr(xml, "address='10.10.0.0'") && !strstr(xml, "10.9."));
	free(xml);
	network_def_free(def);
	def = parse("<network><name>n</name><ip address='10.0.0.1' prefix='8'/>"
		    "</network>");
	assert(!network_def_move(def, 7));
	network_def_free(def);
}

static void test_addresses(void)
{
	struct net_addr a, b;

	assert(net_addr_parse("10.1.2.3", &a) == 0 && a.prefix == 32);
	assert(net_addr_parse("10.1.2", &a) < 0);
	assert(net_addr_parse("2001:db8::1", &b) == 0 && b.v6);
	assert(!net_addr_overlap(&a, &b));
	net_addr_parse("10.1.2.0", &a);
	net_addr_parse("10.1.3.0", &b);
	a.prefix = b.prefix = 24;
	assert(!net_addr_overlap(&a, &b));
	a.prefix = 23;
	assert(net_addr_overlap(&a, &b));
	b.prefix = 0;
	assert(net_addr_overlap(&a, &b));
}

static void test_port(void)
{
	static const char xml[] =
		"<networkport>\n"
		"  <uuid>12345678-1234-4234-8234-123456789abc</uuid>\n"
		"  <owner>\n"
		"    <name>guest</name>\n"
		"    <uuid>12345678-1234-4234-8234-123456789abd</uuid>\n"
		"  </owner>\n"
		"  <mac address='52:54:00:7b:35:93'/>\n"
		"  <vlan>\n"
		"    <tag id='7'/>\n"
		"  </vlan>\n"
		"  <plug type='network' bridge='virbr0'/>\n"
		"</networkport>\n";
	struct net_port *port = NULL, *copy;
	struct error err = { 0 };
	_cleanup_free_ char *text = NULL;

	assert(net_port_parse(xml, &port, &err) == 0);
	copy = net_port_copy(port);
	net_port_free(port);
	text = net_port_format(copy);
	assert(!strcmp(text, xml));
	net_port_free(copy);
}

int main(int argc, char **argv)
{
	struct error err = { 0 };
	const char *dir = getenv("srcdir");
	_cleanup_free_ char *schemas =
		xasprintf("%s/xml-schemas", dir ? dir : ".");

	if (model_schemas_load(argc > 1 ? argv[1] : schemas, &err) < 0)
		fprintf(stderr, "%s\n", err.message);
	assert(!err.message[0]);
	test_round_trip();
	test_defaults();
	test_refused();
	test_update();
	test_move();
	test_addresses();
	test_port();
	model_schemas_unload();
	return 0;
}
