/* SPDX-License-Identifier: MIT */
/* test_loader.c - the module loader with real .ko files: good ones run and leave no trace; whatever
 * is wrong with a file, its place, its parameters or its symbols gives the right errno and one
 * clear line, and leaves no trace either. Thousands of damaged files only must not crash. */
/* cflags: -Itests/host/module */
/* sources: kernel/module/image.c kernel/module/loader.c kernel/module/list.c */
/* sources: kernel/module/ledger.c kernel/module/refs.c kernel/module/symbols.c */
/* sources: kernel/module/params.c kernel/module/kallsyms.c kernel/module/unload.c */
/* sources: arch/x86_64/reloc.c tests/host/fake_module_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <abi.h>
#include <core/sched.h>
#include <weft/arch.h>
#include <weft/printk.h>
#include <weft/socket.h>

#include "fake_module_env.h"
#include "kernel/module/internal.h"

#define MUTATIONS 20000

static char dir[] = "/tmp/weft-loader-XXXXXX";
static int events[16], nr_events;
static struct ledger_entry forgotten;

struct ko {
	u8 *data;
	size_t len;
};

/* ---- what the loader's neighbours would do ---- */

int module_sysfs_add(struct module_state *st)
{
	return 0;
}

void module_sysfs_remove(struct module_state *st)
{
}

void module_sysfs_link_holder(const struct module_state *p, const struct module_state *u)
{
}

void module_sysfs_unlink_holder(const struct module *p, const struct module_state *u)
{
}

static struct module_ref *killed_by_force;

void socket_for_each(struct module *m, void (*fn)(struct socket *s, void *arg), void *arg)
{
	if (killed_by_force)
		module_release(killed_by_force);
}

void socket_kill(struct socket *s)
{
}

void socket_refresh_holders(struct module *m)
{
}

/* ---- helpers ---- */

static void note_event(int n)
{
	events[nr_events++ % 16] = n;
}

static void undo_forgotten(struct ledger_entry *e)
{
	note_event(99);
	ledger_remove(e);
}

/* For test modules: a registration that the module forgets. */
static void env_register(struct module *m)
{
	ledger_add(&forgotten, m, "thing", "left over", undo_forgotten);
}

/* Compiles text to NAME.ko; hidden visibility makes every reference relative. */
static struct ko build_flags(const char *name, const char *text, const char *vermagic,
			     const char *flags)
{
	char path[128], cmd[640];
	struct ko ko = { 0 };
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.c", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
		"#pragma GCC visibility push(hidden)\n"
		"#include <weft/module.h>\n#include <weft/printk.h>\n"
		"MODINFO(\"intree\", \"Y\");\nMODINFO(\"name\", \"%s\");\n"
		"MODINFO(\"depends\", \"\");\nMODINFO(\"vermagic\", \"%s\");\n"
		"void env_event(int n);\nvoid env_register(struct module *m);\n%s\n",
		name, vermagic, text);
	fclose(f);
	snprintf(cmd, sizeof(cmd),
		 "gcc -c -std=gnu11 -O1 -ffreestanding -fno-asynchronous-unwind-tables "
		 "-fcf-protection=none -fno-stack-protector %s -DMODULE -DWEFT_MODULE=%s "
		 "-Itests/host/module -Iinclude -o %s/%s.ko %s",
		 flags, name, dir, name, path);
	assert_int_equal(system(cmd), 0);
	snprintf(path, sizeof(path), "%s/%s.ko", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	ko.len = ftell(f);
	rewind(f);
	ko.data = malloc(ko.len);
	assert_int_equal(fread(ko.data, 1, ko.len, f), ko.len);
	fclose(f);
	return ko;
}

static struct ko build(const char *name, const char *text)
{
	return build_flags(name, text, WEFT_VERMAGIC, "-fpie");
}

/* From a copy of exactly its size, so that ASan sees every step beyond. */
static int load_bytes(const u8 *data, size_t len, const char *args)
{
	char *args_copy = strdup(args);
	u8 *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, data, len);
	env_log_clear();
	err = module_load(copy, len, args_copy);
	free(copy);
	free(args_copy);
	return err;
}

static int load(struct ko *ko, const char *args)
{
	return load_bytes(ko->data, ko->len, args);
}

static bool logged(const char *what)
{
	return strstr(env_log(), what) != NULL;
}

static int expect_clean(void **state)
{
	assert_true(list_empty(&modules));
	assert_int_equal(env_blocks(), 0);
	nr_events = 0;
	env_fail_at = 0;
	env_modules_symbols = NULL;
	return 0;
}

static const char good_text[] =
	"static int level = 3; module_param_int(level, 0644, NULL, \"a number\");\n"
	"static unsigned big; module_param_uint(big, 0444, NULL, \"\");\n"
	"static bool loud; module_param_bool(loud, 0644, \"\");\n"
	"static char who[8]; module_param_string(who, 0444, \"\");\n"
	"int good_value = 7; EXPORT(good_value);\n"
	"int good_get(void) { return level; } EXPORT(good_get);\n"
	"static int __init start(void) { env_event(level + (loud ? 100 : 0)); return 0; }\n"
	"static void __exit stop(void) { env_event(-1); }\n"
	"module_entry_points(start, stop); MODULE_LICENSE(\"MIT\");\n";

static struct ko good;

/* ---- tests ---- */

static void loads_and_leaves(void **state)
{
	assert_int_equal(load(&good, ""), 0);
	assert_int_equal(nr_events, 1);
	assert_int_equal(events[0], 3);
	mutex_lock(&module_mutex);
	struct module_state *st = module_find_locked("good");
	mutex_unlock(&module_mutex);
	assert_non_null(st);
	assert_int_equal(st->stage, MODULE_LIVE);
	assert_int_equal(st->init.size, 0);
	assert_ptr_equal(module_of((const void *)st->entry.exit), st->module);
	assert_string_equal(module_name(st->module), "good");
	char name[96];
	u32 get = strcmp(st->exports[0].name, "good_get") ? 1 : 0;
	symbol_name((u64)st->exports[get].addr + 1, name, sizeof(name));
	assert_true(strstr(name, "good_get+0x1/") && strstr(name, "[good]"));
	assert_int_equal(module_unload("good", false), 0);
	assert_int_equal(events[1], -1);
	assert_int_equal(module_unload("good", false), -ENOENT);
}

/* The table goes with the module. It still has entries for the init area, which nobody may use. */
static void keeps_unwind_table(void **state)
{
	struct ko ko =
		build_flags("good", good_text, WEFT_VERMAGIC, "-fpie -fasynchronous-unwind-tables");
	const u8 *start = NULL, *end = NULL;
	s32 to_code;
	u64 code;

	assert_int_equal(load(&ko, ""), 0);
	mutex_lock(&module_mutex);
	struct module_state *st = module_find_locked("good");
	mutex_unlock(&module_mutex);
	code = (u64)st->core.base; /* code comes first */
	assert_true(module_unwind_table(code, &start, &end));
	assert_true(end - start > 64 && module_of(start) == st->module);
	/* behind the CIE the first function's entry: its address counts from the field on */
	start += 4 + *(const u32 *)start + 8;
	memcpy(&to_code, start, 4);
	assert_true((u64)start + to_code >= code);
	assert_true((u64)start + to_code < code + st->core.part_size[PART_TEXT]);
	assert_false(module_unwind_table((u64)st->module, &start, &end)); /* data */
	assert_int_equal(module_unload("good", false), 0);
	assert_false(module_unwind_table(code, &start, &end));
	assert_int_equal(load(&good, ""), 0);
	mutex_lock(&module_mutex);
	st = module_find_locked("good");
	mutex_unlock(&module_mutex);
	assert_true(module_unwind_table((u64)st->core.base, &start, &end));
	assert_ptr_equal(start, end); /* a file without one */
	assert_int_equal(module_unload("good", false), 0);
	free(ko.data);
}

static void name_taken(void **state)
{
	assert_int_equal(load(&good, ""), 0);
	assert_int_equal(load(&good, ""), -EEXIST);
	assert_int_equal(module_unload("good", false), 0);
}

static void parameters(void **state)
{
	assert_int_equal(load(&good, "level=-5 loud who=\"a b\" "), 0);
	assert_int_equal(events[0], 95);
	assert_int_equal(module_unload("good", false), 0);
	assert_int_equal(load(&good, "nosuch=1"), -ENOENT);
	assert_true(logged("good: unknown parameter nosuch"));
	assert_int_equal(load(&good, "level=abc"), -EINVAL);
	assert_int_equal(load(&good, "level"), -EINVAL);
	assert_int_equal(load(&good, "level=2147483648"), -EINVAL);
	assert_int_equal(load(&good, "big=-1"), -EINVAL);
	assert_int_equal(load(&good, "loud=maybe"), -EINVAL);
	assert_int_equal(load(&good, "who=12345678"), -EINVAL);
	assert_true(logged("bad value"));
	assert_int_equal(load(&good, "big=4294967295 who=1234567"), 0);
	assert_int_equal(module_unload("good", false), 0);
	strcpy(boot_info.cmdline, "quiet good.level=42 other.level=1 good.loud");
	assert_int_equal(load(&good, ""), 0);
	boot_info.cmdline[0] = '\0';
	assert_int_equal(events[(nr_events - 1) % 16], 142);
	assert_int_equal(module_unload("good", false), 0);
}

static void other_kernel(void **state)
{
	struct ko ko = build_flags("old", "", "0.0.9-weft SMP abi=0", "-fpie");

	assert_int_equal(load(&ko, ""), -ENOEXEC);
	assert_true(logged("old: built for \"0.0.9-weft SMP abi=0\", this kernel is"));
	free(ko.data);
}

static void unknown_symbol(void **state)
{
	struct ko ko = build("needs",
			     "void nowhere(void);\nstatic int f(void) { nowhere(); return 0; }\n"
			     "static void g(void) { }\nmodule_entry_points(f, g);\n");

	assert_int_equal(load(&ko, ""), -ENOENT);
	assert_true(logged("needs: unknown symbol nowhere\n"));
	env_modules_symbols = "# comment\nalias symbol:nowhere_else a\nalias symbol:nowhere lost\n";
	assert_int_equal(load(&ko, ""), -ENOENT);
	assert_true(logged("needs: unknown symbol nowhere: load lost first"));
	free(ko.data);
}

static void init_fails(void **state)
{
	struct ko ko = build("bad",
			     "static int f(void) { env_register(THIS_MODULE); return -19; }\n"
			     "static void g(void) { }\nmodule_entry_points(f, g);\n");

	assert_int_equal(load(&ko, ""), -ENODEV);
	assert_true(logged("bad: init failed: error -19"));
	assert_true(logged("bad forgot its thing \"left over\": undone"));
	assert_int_equal(events[0], 99);
	free(ko.data);
}

static void absolute_code(void **state)
{
	struct ko ko = build_flags("far",
				   "static int x; int *volatile p;\n"
				   "static int f(void) { p = &x; return 0; }\n"
				   "static void g(void) { }\nmodule_entry_points(f, g);\n",
				   WEFT_VERMAGIC, "-fno-pie -mcmodel=kernel");

	assert_int_equal(load(&ko, ""), -ENOEXEC);
	assert_true(logged("does not reach"));
	free(ko.data);
}

static void dependents_hold(void **state)
{
	struct ko user =
		build("user_of",
		      "extern int good_get(void);\nextern int good_value;\n"
		      "static int f(void) { env_event(good_get() * 10 + good_value); return 0; }\n"
		      "static void g(void) { }\nmodule_entry_points(f, g);\n");

	assert_int_equal(load(&user, ""), -ENOENT);
	assert_int_equal(load(&good, ""), 0);
	assert_int_equal(load(&user, ""), 0);
	assert_int_equal(events[1], 37);
	env_log_clear();
	assert_int_equal(module_unload("good", false), -EAGAIN);
	assert_true(logged("in use: good: 1 module: user_of"));
	assert_int_equal(module_unload("user-of", false), 0);
	/* by force it goes first */
	assert_int_equal(load(&user, ""), 0);
	assert_int_equal(module_unload("good", true), 0);
	assert_int_equal(module_unload("user-of", false), -ENOENT);
	free(user.data);
}

/* A server that lost its socket asks for the next one at once: it must not become a user again. */
static void forced(struct module_force *f, struct module *m)
{
	struct module_ref again;

	assert_false(module_hold(m, &again, "socket"));
	note_event(77);
}

static void starts(void)
{
	module_find_locked("good")->stage = MODULE_LIVE;
}

static void fails(void)
{
	module_find_locked("good")->stage = MODULE_GOING;
}

/* What a module registers is found before its init is over: who wants to hold it then waits, but
 * not its init itself. */
static void holders_wait_for_the_start(void **state)
{
	struct module_state *st;
	struct module_ref a;
	u64 before;

	assert_int_equal(load(&good, ""), 0);
	st = module_find_locked("good");
	st->stage = MODULE_COMING;
	st->loader = (const struct thread *)&a; /* somebody else */
	env_meanwhile = starts;
	assert_true(module_hold_started(st->module, &a, "socket"));
	module_release(&a);
	st->stage = MODULE_COMING;
	env_meanwhile = fails;
	assert_false(module_hold_started(st->module, &a, "socket"));
	env_meanwhile = NULL;
	st->stage = MODULE_COMING;
	st->loader = current();
	before = ktime_get();
	assert_false(module_hold_started(st->module, &a, "socket"));
	assert_int_equal(ktime_get(), before);
	st->stage = MODULE_LIVE;
	assert_int_equal(module_unload("good", false), 0);
}

static void holders_are_named(void **state)
{
	struct module_ref a, b, c;
	struct module_force force = { .fn = forced };
	struct module_state *st;

	assert_int_equal(load(&good, ""), 0);
	st = module_find_locked("good");
	assert_true(module_hold(st->module, &a, "socket"));
	a.pid = 41;
	a.fd = 5;
	assert_true(module_hold_named(st->module, &b, "interface", "eth0"));
	assert_true(module_hold(NULL, &c, "socket"));
	module_release(&c);
	env_log_clear();
	assert_int_equal(module_unload("good", false), -EAGAIN);
	assert_true(logged("in use: good: 1 socket: pid 41 fd 5"));
	assert_true(logged("in use: good: 1 interface: eth0"));
	/* Force kills the socket; the interface stays up. */
	module_on_force_owner(&force, NULL);
	killed_by_force = &a;
	assert_int_equal(module_unload("good", true), -EAGAIN);
	assert_int_equal(events[1], 77);
	assert_int_equal(st->nr_refs, 1);
	assert_true(module_hold(st->module, &c, "socket")); /* it stayed after all */
	module_release(&c);
	killed_by_force = &b;
	assert_int_equal(module_unload("good", true), 0);
	killed_by_force = NULL;
	module_off_force(&force);
	assert_false(c.module);
}

static void crashed_stays(void **state)
{
	struct module_state *st;

	assert_int_equal(load(&good, ""), 0);
	st = module_find_locked("good");
	st->broken = true;
	assert_int_equal(module_unload("good", true), -EBUSY);
	st->broken = false;
	assert_int_equal(module_unload("good", false), 0);
}

static void no_exit(void **state)
{
	struct ko ko =
		build("stays", "static int f(void) { return 0; }\nmodule_entry_points(f, NULL);\n");

	assert_int_equal(load(&ko, ""), 0);
	assert_int_equal(module_unload("stays", false), -EBUSY);
	module_find_locked("stays")->entry.init = NULL;
	assert_int_equal(module_unload("stays", false), 0);
	free(ko.data);
}

static void truncated(void **state)
{
	for (size_t len = 0; len < good.len; len += len < 256 ? 1 : 37) {
		assert_int_equal(load_bytes(good.data, len, ""), -ENOEXEC);
		assert_int_equal(env_blocks(), 0);
		assert_true(logged("not loaded:"));
	}
}

static void wrong_machine(void **state)
{
	u8 *copy = malloc(good.len);
	struct elf64_ehdr *h = (struct elf64_ehdr *)copy;

	memcpy(copy, good.data, good.len);
	h->machine = 183;
	assert_int_equal(load_bytes(copy, good.len, ""), -ENOEXEC);
	assert_true(logged("built for machine 183"));
	h->machine = ELF_EM_X86_64;
	h->type = 2;
	assert_int_equal(load_bytes(copy, good.len, ""), -ENOEXEC);
	h->type = ELF_ET_REL;
	h->ident[4] = 1;
	assert_int_equal(load_bytes(copy, good.len, ""), -ENOEXEC);
	free(copy);
}

static void memory_runs_out(void **state)
{
	int n, err = -1;

	for (n = 1; err; n++) {
		env_fail_at = n;
		err = load(&good, "level=1");
		env_fail_at = 0;
		if (err) {
			assert_true(err == -ENOMEM);
			assert_true(list_empty(&modules));
			assert_int_equal(env_blocks(), 0);
		}
	}
	assert_true(n > 5);
	assert_int_equal(module_unload("good", false), 0);
}

/* Without entry points: damaged code is loaded at times, and must not be run. */
static void damaged(void **state)
{
	struct ko ko = build("inert", "int a = 1; EXPORT(a); int b[300]; EXPORT(b);\n"
				      "int get(void) { env_event(b[a]); return a; } EXPORT(get);\n"
				      "static int n = 3; module_param_int(n, 0644, NULL, \"\");\n"
				      "static char s[9]; module_param_string(s, 0644, \"\");\n"
				      "static bool t; module_param_bool(t, 0644, \"\");\n"
				      "int *const table[] = { &a, b + 3 }; EXPORT(table);\n");
	u8 *copy = malloc(ko.len);
	u32 i, j, loaded = 0;

	srand(1);
	assert_int_equal(load(&ko, ""), 0);
	assert_int_equal(module_unload("inert", false), 0);
	for (i = 0; i < MUTATIONS; i++) {
		u32 flips = 1 + rand() % 4;

		memcpy(copy, ko.data, ko.len);
		for (j = 0; j < flips; j++) {
			/* half of them where the structure is: headers at both ends */
			size_t at = rand() % ko.len;

			if (rand() % 2)
				at = rand() % 2 ? ko.len - 1 - at % 2048 : at % 64;

			if (rand() % 2)
				copy[at] ^= 1 << rand() % 8;
			else
				copy[at] = rand() % 3 ? rand() : 0xff;
		}
		if (load_bytes(copy, ko.len, "") == 0) {
			struct module_state *st =
				list_first_entry(&modules, struct module_state, node);
			char name[128];

			loaded++;
			for (j = 0; j < st->nr_params; j++)
				param_print(&st->params[j], NULL);
			symbol_name((u64)st->core.base + 1, name, sizeof(name));
			strcpy(name, st->name);
			assert_int_equal(module_unload(name, false), 0);
		}
		assert_true(list_empty(&modules));
		assert_int_equal(env_blocks(), 0);
	}
	print_message("%u of %u damaged files loaded\n", loaded, i);
	free(copy);
	free(ko.data);
}

static void doors(void **state)
{
	struct door d;

	door_init(&d);
	assert_true(door_enter(&d));
	assert_int_equal(door_close(&d, NSEC_PER_SEC), -EBUSY);
	assert_true(door_enter(&d)); /* open again */
	door_leave(&d);
	door_leave(&d);
	assert_int_equal(door_close(&d, NSEC_PER_SEC), 0);
	assert_false(door_enter(&d));
	assert_int_equal(atomic_read(&d.inside), 0);
}

static u32 undone;
static void undo_counted(struct ledger_entry *e)
{
	note_event(e->name[0]);
	undone++;
	if (e->name[0] != 'c') /* one that fails to remove itself */
		ledger_remove(e);
}

static void ledger_newest_first(void **state)
{
	struct ledger_entry e[3] = { 0 };
	struct module_state *st;

	assert_int_equal(load(&good, ""), 0);
	st = module_find_locked("good");
	ledger_add(&e[0], st->module, "timer", "a", undo_counted);
	ledger_add(&e[1], st->module, "timer", "b", undo_counted);
	ledger_add(&e[2], st->module, "timer", "c", undo_counted);
	assert_int_equal(ledger_count(st->module), 3);
	ledger_remove(&e[1]);
	ledger_remove(&e[1]); /* twice is once */
	assert_int_equal(ledger_sweep(st->module), 2);
	assert_int_equal(events[1], 'c');
	assert_int_equal(events[2], 'a');
	assert_int_equal(ledger_count(st->module), 0);
	assert_int_equal(module_unload("good", false), 0);
}

static int set_up(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	env_on_event = note_event;
	env_export("env_event", env_event);
	env_export("env_register", env_register);
	env_export("printk", printk);
	good = build("good", good_text);
	return 0;
}

static int tear_down(void **state)
{
	char cmd[64];

	free(good.data);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, expect_clean, expect_clean)
	const struct CMUnitTest tests[] = {
		T(loads_and_leaves),
		T(keeps_unwind_table),
		T(name_taken),
		T(parameters),
		T(other_kernel),
		T(unknown_symbol),
		T(init_fails),
		T(absolute_code),
		T(dependents_hold),
		T(crashed_stays),
		T(no_exit),
		T(holders_wait_for_the_start),
		T(holders_are_named),
		T(truncated),
		T(wrong_machine),
		T(memory_runs_out),
		T(damaged),
		T(doors),
		T(ledger_newest_first),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
