/* SPDX-License-Identifier: MIT */
/* params.c - module parameters: from the insmod string, from NAME.PARAM=value on the kernel command
 * line, and as files under /sys/module/NAME/parameters. A value is stored only when all of it was
 * good. An unknown name or a bad value at insmod is an error; on the command line it is reported
 * and left. */
#define LOG_NAME "module: "
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/printk.h>
#include <weft/string.h>

#include "internal.h"

static DEFINE_MUTEX(param_mutex); /* guards the values against each other's files */

static int store_number(const struct kparam *p, const char *text)
{
	s64 lo = p->type == PARAM_INT ? -2147483647 - 1 : 0;
	s64 hi = p->type == PARAM_INT ? 2147483647 : 4294967295;
	long long v;

	if (kstrtoll(text, 0, &v) || v < lo || v > hi)
		return -EINVAL;
	if (p->check && p->check(p, v))
		return -EINVAL;
	if (p->type == PARAM_INT)
		WRITE_ONCE(*(int *)p->value, (int)v);
	else
		WRITE_ONCE(*(unsigned int *)p->value, (unsigned int)v);
	return 0;
}

static int store_bool(const struct kparam *p, const char *text)
{
	bool v;

	if (!strcmp(text, "1") || !strcmp(text, "y") || !strcmp(text, "Y") || !strcmp(text, "on"))
		v = true;
	else if (!strcmp(text, "0") || !strcmp(text, "n") || !strcmp(text, "N") ||
		 !strcmp(text, "off"))
		v = false;
	else
		return -EINVAL;
	if (p->check && p->check(p, v))
		return -EINVAL;
	WRITE_ONCE(*(bool *)p->value, v);
	return 0;
}

static int param_set(const struct kparam *p, const char *text)
{
	int err;

	mutex_lock(&param_mutex);
	switch (p->type) {
	case PARAM_INT:
	case PARAM_UINT:
		err = store_number(p, text);
		break;
	case PARAM_BOOL:
		err = store_bool(p, text);
		break;
	default:
		err = strlen(text) < p->size ? 0 : -EINVAL;
		if (!err)
			strscpy(p->value, text, p->size);
	}
	mutex_unlock(&param_mutex);
	return err;
}

int param_store(const struct module_state *st, const struct kparam *p, const char *text)
{
	int err = param_set(p, text);

	if (err)
		pr_err("%s: bad value \"%s\" for parameter %s\n", st->name, text, p->name);
	return err;
}

int param_print(const struct kparam *p, struct seq *s)
{
	mutex_lock(&param_mutex);
	switch (p->type) {
	case PARAM_INT:
		seq_printf(s, "%d\n", *(int *)p->value);
		break;
	case PARAM_UINT:
		seq_printf(s, "%u\n", *(unsigned int *)p->value);
		break;
	case PARAM_BOOL:
		seq_puts(s, *(const u8 *)p->value ? "Y\n" : "N\n");
		break;
	default:
		seq_printf(s, "%s\n", (const char *)p->value);
	}
	mutex_unlock(&param_mutex);
	return 0;
}

static const struct kparam *param_find(const struct module_state *st, const char *name)
{
	u32 i;

	for (i = 0; i < st->nr_params; i++) {
		const struct kparam *p = &st->params[i];

		/* built-in modules share one table */
		if (module_name_equal(p->name, name) &&
		    (!st->builtin || module_name_equal(p->module, st->name)))
			return p;
	}
	return NULL;
}

/* Cuts the next word off *p, in place: name=value with the value's double quotes removed. NULL at
 * the end. *value is NULL for a bare name. */
static char *next_word(char **p, char **value)
{
	char *word = *p, *to;
	bool quoted = false;

	while (*word == ' ' || *word == '\t' || *word == '\n')
		word++;
	if (!*word)
		return NULL;
	*value = NULL;
	for (*p = to = word; **p; (*p)++) {
		if (**p == '"') {
			quoted = !quoted;
			continue;
		}
		if (!quoted && (**p == ' ' || **p == '\t' || **p == '\n'))
			break;
		if (**p == '=' && !*value) {
			*to++ = '\0';
			*value = to;
			continue;
		}
		*to++ = **p;
	}
	if (**p)
		(*p)++;
	*to = '\0';
	return word;
}

static int param_apply(struct module_state *st, const char *name, const char *value)
{
	const struct kparam *p = param_find(st, name);

	if (!p) {
		pr_err("%s: unknown parameter %s\n", st->name, name);
		return -ENOENT;
	}
	if (!value && p->type != PARAM_BOOL) {
		pr_err("%s: parameter %s needs a value\n", st->name, name);
		return -EINVAL;
	}
	return param_store(st, p, value ? value : "1");
}

int params_parse(struct module_state *st, char *args)
{
	char *name, *value;
	int err;

	while ((name = next_word(&args, &value))) {
		err = param_apply(st, name, value);
		if (err)
			return err;
	}
	return 0;
}

void params_from_cmdline(struct module_state *st)
{
	char *copy = kstrdup(boot_info.cmdline), *p = copy, *name, *value, *dot;

	while (p && (name = next_word(&p, &value))) {
		dot = strchr(name, '.');
		if (!dot)
			continue;
		*dot = '\0';
		if (module_name_equal(name, st->name))
			param_apply(st, dot + 1, value); /* said in the log */
	}
	kfree(copy);
}
