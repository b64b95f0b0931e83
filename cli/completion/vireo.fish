# fish completion for vireo(1): the program itself knows what could follow, and
# what it means.
function __vireo_complete
	set -l conn
	set -l command
	set -l skip ''
	for word in (commandline -opc)[2..]
		if test -n "$skip"
			test "$skip" = connect; and set conn -c $word
			set skip ''
			continue
		end
		switch $word
			case -c --connect
				set skip connect
			case -o --output
				set skip output
			case -r -q --readonly --quiet --no-color
			case '*'
				set -a command $word
		end
	end
	test -z "$skip"; and vireo $conn __describe $command (commandline -ct) 2>/dev/null
end
complete -c vireo -a '(__vireo_complete)'
