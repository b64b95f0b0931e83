/*
 * cli/edit.c -- a document in the user's editor, and what came of it.
 *
 * The editor is VISUAL or EDITOR, else vi, as virsh has it.  It may be a
 * command with arguments, so a shell starts it.
 */
#include "cli/edit.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/args.h"
#include "cli/output.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int run_editor(const char *path)
{
	const char *editor = getenv("VISUAL");
	_cleanup_free_ char *command = NULL;
	int status;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "vi";
	/* mkstemp() made the path: nothing in it needs quoting. */
	command = xasprintf("%s %s", editor, path);
	status = system(command);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	say_error("%s: %s", editor, "edit failed");
	return -1;
}

char *edit_text(const char *text)
{
	char path[] = "/tmp/vireo-XXXXXX.xml", *result = NULL;
	int fd = mkstemps(path, 4);

	if (fd < 0 || write_full(fd, text, strlen(text)) < 0)
		say_error("cannot write a temporary file: %s", strerror(errno));
	else if (run_editor(path) == 0)
		result = read_xml_file(path);
	if (fd_close(fd), fd >= 0)
		unlink(path);
	return result;
}

/* After a failure: 'y' again, 'n' not. */
static bool ask_again(void)
{
	char answer[16];

	if (!isatty(STDIN_FILENO))
		return false;
	printf("Failed. Try again? [y,n] ");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && *answer == 'y';
}

static int define(struct ctl *ctl, const struct edit *edit, void *object,
		  const char *old, const char *xml)
{
	_cleanup_free_ char *now = edit->get(object);
	int r;

	if (now && !str_eq(now, old)) {
		say_error("The XML configuration was changed by another user.");
		return -1;
	}
	r = edit->define(ctl, object, xml);
	if (r < 0 && r != -ECANCELED)
		say_failed(ctl, NULL);
	return r;
}

int edit_object(struct ctl *ctl, const struct edit *edit, void *object,
		const char *name)
{
	return edit_object_from(ctl, edit, object, name, NULL);
}

int edit_object_from(struct ctl *ctl, const struct edit *edit, void *object,
		     const char *name, const char *begin)
{
	_cleanup_free_ char *old = edit->get(object), *xml = NULL;

	if (!old)
		return say_failed(ctl, NULL);
	for (;;) {
		char *next = edit_text(xml	? xml :
				       begin	? begin :
						  old);

		free(xml);
		xml = next;
		if (!xml)
			return EXIT_FAILED;
		if (str_eq(xml, old)) {
			say(ctl, edit->same, name);
			return EXIT_OK;
		}
		if (define(ctl, edit, object, old, xml) == 0) {
			if (edit->done)
				say(ctl, edit->done, name);
			return EXIT_OK;
		}
		if (!ask_again())
			return EXIT_FAILED;
	}
}
