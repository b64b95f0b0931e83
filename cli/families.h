/*
 * cli/families.h -- one line per family of commands, which is one file
 * cli/cmd-NAME.c.  Whoever needs the list defines FAMILY() and includes this.
 */
FAMILY(console)
FAMILY(doctor)
FAMILY(dominfo)
FAMILY(domstate)
FAMILY(event)
FAMILY(host)
FAMILY(identity)
FAMILY(life)
FAMILY(list)
FAMILY(memory)
FAMILY(shell)
