# rpc/permissions.awk -- makes rpc/perms-table.c (out=table), or polkit's
# actions (out=policy), from rpc/protocol.x, rpc/permissions and
# rpc/procedures, given in this order.

function fail(why) {
	printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
	failed = 1
	exit 1
}

# ---- protocol.x: the first member of each struct, and which it has ----

FILENAME ~ /protocol\.x$/ {
	if ($1 == "struct" && $NF != "*/" || $1 == "struct" && /{/) {
		type = substr($2, 6)
		order = 0
	} else if (/^}/) {
		type = ""
	} else if (type != "" && /;/) {
		member = $NF
		sub(/;.*/, "", member)
		if ($0 ~ /\/\*/) { # a comment behind it
			member = $2
			sub(/;.*/, "", member)
		}
		if (!order++) {
			first_type[type] = $1
			first_member[type] = member
		}
		if ($1 " " $2 == "unsigned int")
			uints[type, member] = 1
	}
	next
}

/^#/ || NF == 0 { next }

# ---- permissions ----

FILENAME ~ /permissions$/ {
	if (NF != 3)
		fail("expected: name permissions filter")
	more[$1] = $2
	filter[$1] = $3
	next
}

# ---- procedures ----

$1 == "program" && NF == 2 {
	base += last
	last = 0
	next
}

# Where the object is: its kind, and where in the arguments.
function subject(type, name, at, t) {
	if (type == "." || type == "-")
		return "0, 0"
	if (name ~ /_(CREATE|DEFINE)_XML/ && name !~ /SAVE/ && type == "str")
		return "SUBJECT_XML, 0"
	if (type ~ /^(dom|named|iface|vol|nodedev|secret|binding|uuid|str|int|secret_usage)$/)
		return "SUBJECT_" toupper(type) ", 0"
	if (type == "snapshot")
		return "SUBJECT_DOM, offsetof(wire_snapshot, dom)"
	if (type ~ /^prepare3_args$/)
		return "SUBJECT_XML, offsetof(wire_prepare3_args, dxml)"
	if (type ~ /^(prepare3|finish3)_params_args$/)
		return "SUBJECT_PARAMS, offsetof(wire_" type ", params)"
	t = first_type[type]
	at = first_member[type]
	sub(/^wire_/, "", t)
	if (at !~ /^[a-z_0-9]+$/)
		return "0, 0"
	if (t == "snapshot")
		return "SUBJECT_DOM, offsetof(wire_" type ", " at ".dom)"
	if (t == "str" && name ~ /_(CREATE|DEFINE)_XML/ && name !~ /SAVE/)
		return "SUBJECT_XML, offsetof(wire_" type ", " at ")"
	if (t ~ /^(dom|named|iface|vol|nodedev|secret|binding|uuid|str)$/)
		return "SUBJECT_" toupper(t) ", offsetof(wire_" type ", " at ")"
	return "0, 0"
}

function flags_at(type) {
	if ((type, "flags") in uints)
		return "offsetof(wire_" type ", flags)"
	fail("a condition on flags, and no flags in " type)
}

function rule(permission, type, part, n, mask) {
	n = split(permission, part, ":")
	seen[part[1] ":" part[2]] = 1
	if (n <= 2)
		return "{ \"" permission "\", WHEN_ALWAYS, 0, 0 }"
	permission = "\"" part[1] ":" part[2] "\""
	# Not implemented: it answers before anything is asked.
	if (type == ".")
		return "{ " permission ", WHEN_ALWAYS, 0, 0 }"
	if (part[3] == "lasting")
		return "{ " permission ", WHEN_LASTING, 0, " flags_at(type) " }"
	if (split(part[3], mask, "=") == 2)
		return "{ " permission ", WHEN_EQUAL, " mask[2] \
			", offsetof(wire_" type ", " mask[1] ") }"
	return "{ " permission ", WHEN_FLAGS, " part[3] ", " flags_at(type) " }"
}

NF == 6 {
	last = $1
	type = $3
	text = rule($5, type)
	n = 1
	if ($2 in more && more[$2] != "-") {
		m = split(more[$2], list, ",")
		for (i = 1; i <= m; i++)
			text = text ",\n\t\t  " rule(list[i], type)
		n += m
	}
	f = $2 in filter && filter[$2] != "-" ? filter[$2] : ""
	if (f != "")
		seen[f] = 1
	used[$2] = 1
	if ($2 == "CONNECT_OPEN" && out == "table")
		print "const struct permissions permissions[PROC_COUNT] = {"
	if (out == "table")
		printf "\t[%d] = { %d, { %s },\n\t\t%s, %s },\n", base + $1,
			n, text, f == "" ? "NULL" : "\"" f "\"",
			subject($5 == "none" ? "." : type, $2)
}

# ---- what comes of it ----

# What anybody may do whom a rule does not forbid it, as libvirt has it.
function free_for_all(object, what) {
	return what == "getattr" || \
		object == "connect" && what ~ /^search_/ || \
		what == "read" && object != "node_device"
}

function action(permission, part, allow, id) {
	split(permission, part, ":")
	id = permission
	gsub(/_/, "-", id)
	sub(/:/, ".", id)
	allow = free_for_all(part[1], part[2]) ? "yes" : "no"
	gsub(/_/, " ", part[1])
	gsub(/_/, " ", part[2])
	print "  <action id=\"org.libvirt.api." id "\">"
	print "    <description>" part[1] ": " part[2] "</description>"
	print "    <message>Permission \"" part[2] "\" on this " part[1] \
		" is required</message>"
	print "    <defaults>"
	print "      <allow_any>" allow "</allow_any>"
	print "      <allow_inactive>" allow "</allow_inactive>"
	print "      <allow_active>" allow "</allow_active>"
	print "    </defaults>"
	print "  </action>"
}

BEGIN {
	if (out == "table")
		print "/* Made from rpc/permissions; do not edit. */\n" \
			"#include <libvirt/libvirt.h>\n\n" \
			"#include \"rpc/perms.h\"\n"
	else
		print "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" \
			"<!DOCTYPE policyconfig PUBLIC\n" \
			" \"-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN\"\n" \
			" \"http://www.freedesktop.org/standards/PolicyKit/1/policyconfig.dtd\">\n" \
			"<policyconfig>"
}

END {
	if (failed)
		exit 1
	for (name in more)
		if (!(name in used)) {
			print "no procedure " name > "/dev/stderr"
			exit 1
		}
	if (out == "table") {
		print "};"
		exit 0
	}
	delete seen["none"]
	n = 0
	for (permission in seen)
		sorted[n++] = permission
	for (i = 1; i < n; i++)
		for (j = i; j > 0 && sorted[j - 1] > sorted[j]; j--) {
			t = sorted[j]
			sorted[j] = sorted[j - 1]
			sorted[j - 1] = t
		}
	for (i = 0; i < n; i++)
		action(sorted[i])
	print "</policyconfig>"
}
