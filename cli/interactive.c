/*
 * cli/interactive.c -- the prompt, with history and completion (libedit).
 */
#include "cli/interactive.h"

#include <histedit.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "cli/output.h"

enum { WORDS_MAX = 128, HISTORY_LINES = 500 };

struct words {
	int n;
	char *word[WORDS_MAX + 1];
};

static void words_free(struct words *w)
{
	for (int i = 0; i < w->n; i++)
		free(w->word[i]);
	w->n = 0;
}

/*
 * Adds one word at p, quoted as in sh: '' keeps all, "" and bare words heed
 * backslashes.  Returns where it ended, or NULL for an open quote.
 */
static const char *read_word(const char *p, struct words *w)
{
	struct buf b = { 0 };
	char quote = 0;

	for (; *p && (quote || !strchr(" \t\n;", *p)); p++) {
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? 0 : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'' && p[1])
			p++;
		buf_add(&b, p, 1);
	}
	if (w->n < WORDS_MAX)
		w->word[w->n++] = buf_steal(&b);
	buf_free(&b);
	return quote ? NULL : p;
}

/* One command's words; moves *line past its ';' or to the end. */
static int split(const char **line, struct words *w)
{
	const char *p = *line;

	w->n = 0;
	for (;;) {
		p += strspn(p, " \t\n");
		if (!*p || *p == ';')
			break;
		p = read_word(p, w);
		if (!p) {
			*line = "";
			return -1;
		}
	}
	w->word[w->n] = NULL;
	*line = *p ? p + 1 : p;
	return 0;
}

int run_line(struct ctl *ctl, const char *line)
{
	int status = EXIT_OK;
	struct words w;

	while (*line && status <= EXIT_FAILED && !ctl->quit) {
		if (split(&line, &w) < 0) {
			say_error("missing closing quote");
			status = EXIT_USAGE;
		} else if (w.n && w.word[0][0] != '#') {
			status = command_run(ctl, w.n, w.word);
			if (ctl->output == OUTPUT_TABLE && !ctl->quiet)
				putchar('\n');
		}
		words_free(&w);
	}
	return status;
}

static char *prompt(EditLine *el)
{
	static char rw[] = "vireo # ", ro[] = "vireo > ";
	struct ctl *ctl;

	el_get(el, EL_CLIENTDATA, &ctl);
	return ctl->readonly ? ro : rw;
}

/* ---- completion ---- */

static struct {
	size_t n;
	char **word;
} found;

static void collect(const char *word)
{
	found.word = xrealloc(found.word, found.n + 1, sizeof(*found.word));
	found.word[found.n++] = xstrdup(word);
}

static void forget(void)
{
	while (found.n)
		free(found.word[--found.n]);
	free(found.word);
	found.word = NULL;
}

static size_t common_prefix(void)
{
	size_t len = strlen(found.word[0]);

	for (size_t i = 1; i < found.n; i++)
		for (size_t k = 0; k < len; k++)
			if (found.word[i][k] != found.word[0][k])
				len = k;
	return len;
}

static void show_candidates(void)
{
	putchar('\n');
	for (size_t i = 0; i < found.n; i++)
		printf("%s  ", found.word[i]);
	putchar('\n');
}

/* Extends the word before the cursor as far as all candidates agree. */
static unsigned char insert_common(EditLine *el, const char *typed)
{
	size_t len = common_prefix(), have = strlen(typed);
	_cleanup_free_ char *more = NULL;

	if (len <= have && found.n > 1) {
		show_candidates();
		return CC_REDISPLAY;
	}
	more = xasprintf("%.*s%s", (int)(len - have), found.word[0] + have,
			 found.n == 1 ? " " : "");
	return el_insertstr(el, more) < 0 ? CC_ERROR : CC_REFRESH;
}

static unsigned char on_tab(EditLine *el, int ch)
{
	const LineInfo *li = el_line(el);
	_cleanup_free_ char *line =
		xstrndup(li->buffer, li->cursor - li->buffer);
	unsigned char result = CC_REFRESH_BEEP;
	const char *rest = line;
	struct words w;
	struct ctl *ctl;

	(void)ch;
	el_get(el, EL_CLIENTDATA, &ctl);
	do
		split(&rest, &w);
	while (*rest && (words_free(&w), true));
	if (w.n < WORDS_MAX && (!*line || line[strlen(line) - 1] == ' '))
		w.word[w.n++] = xstrdup("");
	complete_to(collect);
	complete_words(ctl, w.n, w.word);
	ctl->muted = false;
	complete_to(NULL);
	if (found.n)
		result = insert_common(el, w.n ? w.word[w.n - 1] : "");
	forget();
	words_free(&w);
	return result;
}

/* ---- history ---- */

static char *history_file(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	_cleanup_free_ char *dir = NULL;

	if (cache && *cache)
		dir = xasprintf("%s/vireo", cache);
	else if (home && *home)
		dir = xasprintf("%s/.cache/vireo", home);
	else
		return NULL;
	mkdir(dir, 0700); /* its parent may be missing: no history then */
	return xasprintf("%s/history", dir);
}

static void loop(struct ctl *ctl, EditLine *el, History *h)
{
	const char *line;
	HistEvent ev;
	int n;

	while (!ctl->quit && (line = el_gets(el, &n)) && n > 0) {
		if (strspn(line, " \t\n") == (size_t)n)
			continue;
		history(h, &ev, H_ENTER, line);
		run_line(ctl, line);
		fflush(stdout);
	}
}

int interactive(struct ctl *ctl)
{
	_cleanup_free_ char *file = history_file();
	EditLine *el = el_init("vireo", stdin, stdout, stderr);
	History *h = history_init();
	HistEvent ev;

	ctl->interactive = true;
	printf("Welcome to vireo, the virtualization interactive terminal.\n\n"
	       "Type:  'help' for help with commands\n"
	       "       'quit' to quit\n\n");
	history(h, &ev, H_SETSIZE, HISTORY_LINES);
	if (file)
		history(h, &ev, H_LOAD, file);
	el_set(el, EL_CLIENTDATA, ctl);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_HIST, history, h);
	el_set(el, EL_ADDFN, "complete", "complete the word", on_tab);
	el_set(el, EL_BIND, "^I", "complete", NULL);
	loop(ctl, el, h);
	if (file)
		history(h, &ev, H_SAVE, file);
	history_end(h);
	el_end(el);
	return EXIT_OK;
}
