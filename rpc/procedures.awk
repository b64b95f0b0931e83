# rpc/procedures.awk -- makes C from rpc/procedures; out= says which file:
#
#	numbers     rpc/procs-numbers.h   enum of procedure numbers
#	table       rpc/procs-table.c     the table that struct procedure describes
#	prototypes  daemon/handlers-gen.h one prototype for each handler
#	handlers    daemon/handlers-gen.c number -> handler

function fail(why) {
	printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
	failed = 1
	exit 1
}

# DOMAIN_GET_XML_DESC -> virDomainGetXMLDesc
function api(name, words, n, i, s) {
	n = split(name, words, "_")
	s = "vir"
	for (i = 1; i <= n; i++)
		if (words[i] in spelt)
			s = s spelt[words[i]]
		else
			s = s substr(words[i], 1, 1) tolower(substr(words[i], 2))
	return s
}

function signature(name) {
	return "int handle_" tolower(name) "(struct call *call" \
		($3 == "-" ? "" : ",\n\tconst wire_" $3 " *args") \
		($4 == "-" ? "" : ",\n\twire_" $4 " *reply") \
		",\n\tstruct error *err)"
}

function xdr(type) {
	if (type == "-" || type == ".")
		return "(xdrproc_t)xdr_void, 0"
	return "(xdrproc_t)xdr_wire_" type ", sizeof(wire_" type ")"
}

BEGIN {
	n = split("XML CPU CPUS=CPUs URI UUID ID NMI MAC DHCP SEV FD SSH PM OS " \
		"IOTHREAD=IOThread NWFILTER=NWFilter FSFREEZE=FSFreeze " \
		"FSTHAW=FSThaw FSTRIM=FSTrim FSINFO=FSInfo WWN SCSI=SCSI " \
		"DETTACH=Dettach SASL", list, " ")
	for (i = 1; i <= n; i++) {
		split(list[i], pair, "=")
		spelt[pair[1]] = pair[2] == "" ? pair[1] : pair[2]
	}
	n = split("ro loop stream event urgent", list, " ")
	for (i = 1; i <= n; i++)
		known[list[i]] = 1
	print "/* Made from rpc/procedures; do not edit. */"
	if (out == "numbers")
		print "enum {"
	if (out == "table")
		print "#include \"rpc/procs.h\"\n\n" \
			"const struct procedure procedures[PROC_COUNT] = {"
	if (out == "prototypes")
		print "#include \"rpc/protocol.h\"\n\nstruct call;\n" \
			"struct error;\n"
	if (out == "handlers")
		print "#include \"daemon/dispatch.h\"\n" \
			"#include \"daemon/handlers-gen.h\"\n"
}

/^#/ || NF == 0 { next }

# Its procedures follow those before it in the table.
$1 == "program" && NF == 2 {
	base += last
	last = 0
	if (out == "numbers")
		print "\tPROC_" $2 "_BASE = " base ","
	next
}

NF != 6 { fail("expected: number name arguments reply access how") }
$1 != ++last { fail("number " $1 " is out of order") }
$5 !~ /^(none|[a-z_]+:[a-z_]+)$/ { fail($2 " names no access") }
($3 == ".") != ($4 == ".") { fail($2 " is half implemented") }

{
	flags = "0"
	n = $6 == "-" ? 0 : split($6, list, ",")
	for (i = 1; i <= n; i++) {
		if (!(list[i] in known))
			fail("unknown word " list[i])
		flags = flags " | PROC_" toupper(list[i])
	}
	if (out == "numbers")
		print "\tPROC_" $2 " = " base + $1 ","
	if (out == "table")
		printf "\t[%d] = { \"%s\", \"%s\", \"%s\", %s,\n\t\t%s,\n\t\t%s },\n",
			base + $1, $2, api($2), $5, flags, xdr($3), xdr($4)
	if ($3 == ".")
		next
	if (out == "prototypes")
		print signature($2) ";"
	if (out == "handlers") {
		printf "static int call_%d(struct call *call, const void *args, " \
			"void *reply,\n\tstruct error *err)\n{\n" \
			"\treturn handle_%s(call%s%s, err);\n}\n\n", base + $1,
			tolower($2), $3 == "-" ? "" : ", args",
			$4 == "-" ? "" : ", reply"
		entries = entries sprintf("\t[%d] = call_%d,\n", base + $1, base + $1)
	}
}

END {
	if (failed)
		exit 1
	if (out == "numbers")
		print "\tPROC_COUNT\n};"
	if (out == "table")
		print "};"
	if (out == "handlers")
		print "handler *const handlers[PROC_COUNT] = {\n" entries "};"
}
