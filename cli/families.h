/*
 * cli/families.h -- one line per family of commands, which is one file
 * cli/cmd-NAME.c.  Whoever needs the list defines FAMILY() and includes this.
 */
FAMILY(checkpoint)
FAMILY(console)
FAMILY(cpu)
FAMILY(doctor)
FAMILY(dominfo)
FAMILY(domstate)
FAMILY(event)
FAMILY(host)
FAMILY(identity)
FAMILY(iface)
FAMILY(life)
FAMILY(list)
FAMILY(memory)
FAMILY(node)
FAMILY(nodedev)
FAMILY(nwfilter)
FAMILY(shell)
FAMILY(stats)
