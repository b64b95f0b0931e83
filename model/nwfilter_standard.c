/*
 * model/nwfilter_standard.c -- the filters that are there from the start.
 *
 * Their names and what they let through are libvirt's, which documents refer
 * to.  Users may change them or take them away; a store without any gets all.
 */
#include "model/nwfilter.h"

const struct nwfilter_standard nwfilter_standard[] = {
	/* ARP both ways. */
	{ "allow-arp",
	  "<filter name='allow-arp' chain='arp'>"
	  "<rule action='accept' direction='inout'/>"
	  "</filter>" },
	/* A guest asks for an address by DHCP; any server may answer. */
	{ "allow-dhcp",
	  "<filter name='allow-dhcp' chain='ipv4'>"
	  "<rule action='accept' direction='out' priority='100'>"
	  "<ip srcipaddr='0.0.0.0' dstipaddr='255.255.255.255' "
	  "protocol='udp' srcportstart='68' dstportstart='67'/>"
	  "</rule>"
	  "<rule action='accept' direction='in' priority='100'>"
	  "<ip protocol='udp' srcportstart='67' dstportstart='68'/>"
	  "</rule>"
	  "</filter>" },
	/* A guest asks for an address by DHCP; DHCPSERVER may answer. */
	{ "allow-dhcp-server",
	  "<filter name='allow-dhcp-server' chain='ipv4'>"
	  "<rule action='accept' direction='out' priority='100'>"
	  "<ip srcipaddr='0.0.0.0' dstipaddr='255.255.255.255' "
	  "protocol='udp' srcportstart='68' dstportstart='67'/>"
	  "</rule>"
	  "<rule action='accept' direction='in' priority='100'>"
	  "<ip srcipaddr='$DHCPSERVER' protocol='udp' "
	  "srcportstart='67' dstportstart='68'/>"
	  "</rule>"
	  "</filter>" },
	/* A guest asks for an address by DHCPv6; any server may answer. */
	{ "allow-dhcpv6",
	  "<filter name='allow-dhcpv6' chain='ipv6'>"
	  "<rule action='accept' direction='out' priority='100'>"
	  "<ipv6 srcipaddr='fe80::' srcipmask='10' "
	  "dstipaddr='ff02::1:2' protocol='udp' srcportstart='546' "
	  "dstportstart='547'/>"
	  "</rule>"
	  "<rule action='accept' direction='in' priority='100'>"
	  "<ipv6 protocol='udp' srcportstart='547' "
	  "dstportstart='546'/>"
	  "</rule>"
	  "</filter>" },
	/* A guest asks for an address by DHCPv6; DHCPSERVER may answer. */
	{ "allow-dhcpv6-server",
	  "<filter name='allow-dhcpv6-server' chain='ipv6'>"
	  "<rule action='accept' direction='out' priority='100'>"
	  "<ipv6 srcipaddr='fe80::' srcipmask='10' "
	  "dstipaddr='ff02::1:2' protocol='udp' srcportstart='546' "
	  "dstportstart='547'/>"
	  "</rule>"
	  "<rule action='accept' direction='in' priority='100'>"
	  "<ipv6 srcipaddr='$DHCPSERVER' protocol='udp' "
	  "srcportstart='547' dstportstart='546'/>"
	  "</rule>"
	  "</filter>" },
	/* IPv4 to the guest. */
	{ "allow-incoming-ipv4",
	  "<filter name='allow-incoming-ipv4' chain='ipv4'>"
	  "<rule action='accept' direction='in'/>"
	  "</filter>" },
	/* IPv6 to the guest. */
	{ "allow-incoming-ipv6",
	  "<filter name='allow-incoming-ipv6' chain='ipv6'>"
	  "<rule action='accept' direction='in'/>"
	  "</filter>" },
	/* IPv4 both ways. */
	{ "allow-ipv4",
	  "<filter name='allow-ipv4' chain='ipv4'>"
	  "<rule action='accept' direction='inout'/>"
	  "</filter>" },
	/* IPv6 both ways. */
	{ "allow-ipv6",
	  "<filter name='allow-ipv6' chain='ipv6'>"
	  "<rule action='accept' direction='inout'/>"
	  "</filter>" },
	/* A guest speaks IPv4 and ARP, with its own addresses only. */
	{ "clean-traffic",
	  "<filter name='clean-traffic' chain='root'>"
	  "<filterref filter='no-mac-spoofing'/>"
	  "<filterref filter='no-ip-spoofing'/>"
	  "<rule action='accept' direction='out' priority='-650'>"
	  "<mac protocolid='ipv4'/>"
	  "</rule>"
	  "<filterref filter='allow-incoming-ipv4'/>"
	  "<filterref filter='no-arp-spoofing'/>"
	  "<rule action='accept' direction='inout' priority='-500'>"
	  "<mac protocolid='arp'/>"
	  "</rule>"
	  "<filterref filter='no-other-l2-traffic'/>"
	  "<filterref filter='qemu-announce-self'/>"
	  "</filter>" },
	/* As clean-traffic, and with GATEWAY_MAC only. */
	{ "clean-traffic-gateway",
	  "<filter name='clean-traffic-gateway' chain='root'>"
	  "<filterref filter='no-mac-spoofing'/>"
	  "<filterref filter='no-ip-spoofing'/>"
	  "<filterref filter='no-arp-spoofing'/>"
	  "<rule action='accept' direction='inout' priority='-500'>"
	  "<mac protocolid='arp'/>"
	  "</rule>"
	  "<rule action='accept' direction='in'>"
	  "<mac match='yes' srcmacaddr='$GATEWAY_MAC'/>"
	  "</rule>"
	  "<rule action='accept' direction='out'>"
	  "<mac match='yes' dstmacaddr='$GATEWAY_MAC'/>"
	  "</rule>"
	  "<filterref filter='no-other-l2-traffic'/>"
	  "<filterref filter='qemu-announce-self'/>"
	  "</filter>" },
	/* A guest's ARP names its own IP address as the sender's. */
	{ "no-arp-ip-spoofing",
	  "<filter name='no-arp-ip-spoofing' chain='arp-ip' priority='-510'>"
	  "<rule action='return' direction='out' priority='400'>"
	  "<arp match='yes' arpsrcipaddr='$IP'/>"
	  "</rule>"
	  "<rule action='drop' direction='out' priority='1000'/>"
	  "</filter>" },
	/* A guest's ARP names its own MAC address as the sender's. */
	{ "no-arp-mac-spoofing",
	  "<filter name='no-arp-mac-spoofing' chain='arp-mac' priority='-520'>"
	  "<rule action='return' direction='out' priority='350'>"
	  "<arp match='yes' arpsrcmacaddr='$MAC'/>"
	  "</rule>"
	  "<rule action='drop' direction='out' priority='1000'/>"
	  "</filter>" },
	/* Both of ARP's sender addresses are the guest's own. */
	{ "no-arp-spoofing",
	  "<filter name='no-arp-spoofing' chain='root'>"
	  "<filterref filter='no-arp-mac-spoofing'/>"
	  "<filterref filter='no-arp-ip-spoofing'/>"
	  "</filter>" },
	/* A guest sends no IPv4 multicast. */
	{ "no-ip-multicast",
	  "<filter name='no-ip-multicast' chain='ipv4'>"
	  "<rule action='drop' direction='out'>"
	  "<ip dstipaddr='224.0.0.0' dstipmask='4'/>"
	  "</rule>"
	  "</filter>" },
	/* A guest's IPv4 has its own address as the source; DHCP has none yet. */
	{ "no-ip-spoofing",
	  "<filter name='no-ip-spoofing' chain='ipv4-ip' priority='-710'>"
	  "<rule action='return' direction='out' priority='100'>"
	  "<ip srcipaddr='0.0.0.0' protocol='udp'/>"
	  "</rule>"
	  "<rule action='return' direction='out' priority='500'>"
	  "<ip srcipaddr='$IP'/>"
	  "</rule>"
	  "<rule action='drop' direction='out' priority='1000'/>"
	  "</filter>" },
	/* A guest sends no IPv6 multicast. */
	{ "no-ipv6-multicast",
	  "<filter name='no-ipv6-multicast' chain='ipv6'>"
	  "<rule action='drop' direction='out'>"
	  "<ipv6 dstipaddr='ff00::' dstipmask='8'/>"
	  "</rule>"
	  "</filter>" },
	/* A guest's IPv6 has its own address as the source; DHCPv6 a local one. */
	{ "no-ipv6-spoofing",
	  "<filter name='no-ipv6-spoofing' chain='ipv6-ip' priority='-610'>"
	  "<rule action='return' direction='out' priority='100'>"
	  "<ipv6 srcipaddr='fe80::' srcipmask='10' protocol='udp'/>"
	  "</rule>"
	  "<rule action='return' direction='out' priority='500'>"
	  "<ipv6 srcipaddr='$IPV6'/>"
	  "</rule>"
	  "<rule action='drop' direction='out' priority='1000'/>"
	  "</filter>" },
	/* A guest sends no IPv4 broadcast. */
	{ "no-mac-broadcast",
	  "<filter name='no-mac-broadcast' chain='ipv4'>"
	  "<rule action='drop' direction='out'>"
	  "<mac dstmacaddr='ff:ff:ff:ff:ff:ff'/>"
	  "</rule>"
	  "</filter>" },
	/* A guest's frames have its own MAC address as the source. */
	{ "no-mac-spoofing",
	  "<filter name='no-mac-spoofing' chain='mac' priority='-800'>"
	  "<rule action='return' direction='out'>"
	  "<mac srcmacaddr='$MAC'/>"
	  "</rule>"
	  "<rule action='drop' direction='out'>"
	  "<mac/>"
	  "</rule>"
	  "</filter>" },
	/* Nothing that no other rule accepted. */
	{ "no-other-l2-traffic",
	  "<filter name='no-other-l2-traffic' chain='root'>"
	  "<rule action='drop' direction='inout' priority='1000'/>"
	  "</filter>" },
	/* No RARP that no other rule accepted. */
	{ "no-other-rarp-traffic",
	  "<filter name='no-other-rarp-traffic' chain='rarp'>"
	  "<rule action='drop' direction='inout' priority='1000'/>"
	  "</filter>" },
	/* What announces a guest that has moved, RARP of an old mistyped kind too. */
	{ "qemu-announce-self",
	  "<filter name='qemu-announce-self' chain='root'>"
	  "<rule action='accept' direction='out'>"
	  "<mac protocolid='0x835'/>"
	  "</rule>"
	  "<filterref filter='qemu-announce-self-rarp'/>"
	  "<filterref filter='no-other-rarp-traffic'/>"
	  "</filter>" },
	/* RARP by which a guest that has moved makes itself known. */
	{ "qemu-announce-self-rarp",
	  "<filter name='qemu-announce-self-rarp' chain='rarp'>"
	  "<rule action='accept' direction='out' priority='500'>"
	  "<rarp opcode='Request_Reverse' srcmacaddr='$MAC' "
	  "dstmacaddr='ff:ff:ff:ff:ff:ff' arpsrcmacaddr='$MAC' "
	  "arpdstmacaddr='$MAC' arpsrcipaddr='0.0.0.0' "
	  "arpdstipaddr='0.0.0.0'/>"
	  "</rule>"
	  "<rule action='accept' direction='in' priority='500'>"
	  "<rarp opcode='Request_Reverse' "
	  "dstmacaddr='ff:ff:ff:ff:ff:ff' arpsrcmacaddr='$MAC' "
	  "arpdstmacaddr='$MAC' arpsrcipaddr='0.0.0.0' "
	  "arpdstipaddr='0.0.0.0'/>"
	  "</rule>"
	  "</filter>" },
	{ NULL, NULL },
};
