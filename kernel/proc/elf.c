/* SPDX-License-Identifier: MIT */
/* elf.c - maps a checked ELF file, and the interpreter that it names, into a new address space that
 * nobody runs in yet: a failure leaves the caller as it was. */
#include "elf.h"
#include "proc.h"

#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/random.h>

#define PIE_BASE 0x555555554000ull /* two thirds of the address space, as on Linux */
#define RANDOM_PAGES BIT(20)	   /* 4 GiB */

static int plan_file(struct file *f, const void *head, size_t len, struct elf_plan *plan)
{
	const struct elf_ehdr *eh = head;
	struct elf_phdr *ph;
	size_t size;
	int err;

	err = elf_check_header(eh, len);
	if (err)
		return err;
	size = eh->phnum * sizeof(*ph);
	ph = kmalloc(size);
	if (!ph)
		return -ENOMEM;
	if (vfs_read_at(f, ph, size, eh->phoff) != (long)size)
		err = -ENOEXEC;
	else
		err = elf_make_plan(eh, ph, USER_END, plan);
	kfree(ph);
	return err;
}

static u32 vm_flags(const struct elf_seg *s)
{
	u32 flags = 0;

	if (s->flags & PF_R)
		flags |= VM_READ;
	if (s->flags & PF_W)
		flags |= VM_WRITE | VM_READ;
	if (s->flags & PF_X)
		flags |= VM_EXEC | VM_READ;
	return flags;
}

static int map_plan(struct proc_mm *mm, struct file *f, const struct elf_plan *plan, u64 bias)
{
	int err;
	u32 i;

	for (i = 0; i < plan->nr_segs; i++) {
		const struct elf_seg *s = &plan->seg[i];

		err = mm_map_area(mm, s->vaddr + bias, s->memsz, vm_flags(s), s->filesz ? f : NULL,
				  s->offset, s->filesz);
		/* two images in one place, or a file system whose files cannot be mapped */
		if (err == -EEXIST || err == -EINVAL || err == -ENODEV || err == -EIO)
			return -ENOEXEC;
		if (err)
			return err;
	}
	return 0;
}

/* Where an image without addresses of its own goes: programs low, interpreters below the stack. */
static int choose_bias(struct proc_mm *mm, const struct elf_plan *plan, bool interp, bool randomize,
		       u64 *bias)
{
	u64 span = plan->high - plan->low, at;

	*bias = 0;
	if (plan->type == ET_EXEC)
		return 0;
	if (interp) {
		if (span + plan->align > mm->mmap_base / 2)
			return -ENOMEM;
		at = ALIGN_DOWN(mm->mmap_base - span, plan->align);
	} else {
		at = PIE_BASE;
		if (randomize)
			at += (u64)random_below(RANDOM_PAGES) << PAGE_SHIFT;
		at = ALIGN_UP(at, plan->align);
		if (span > mm->mmap_base - at)
			return -ENOMEM;
	}
	*bias = at - ALIGN_DOWN(plan->low, plan->align);
	return 0;
}

static int load_interp(struct proc_mm *mm, struct file *f, const struct elf_plan *prog,
		       struct elf_plan *plan, struct exec_image *img)
{
	u8 head[ELF_HEAD_SIZE] __aligned(8);
	struct file *interp;
	u64 bias;
	char *path;
	long n;
	int err;

	path = path_buf_get();
	if (!path)
		return -ENOMEM;
	n = vfs_read_at(f, path, prog->interp_size, prog->interp_offset);
	if (n != (long)prog->interp_size || path[n - 1]) {
		path_buf_put(path);
		return -ENOEXEC;
	}
	interp = vfs_open_exec(path);
	path_buf_put(path);
	if (IS_ERR(interp))
		return (int)PTR_ERR(interp);
	n = vfs_read_at(interp, head, sizeof(head), 0);
	err = plan_file(interp, head, n > 0 ? (size_t)n : 0, plan);
	if (!err)
		err = choose_bias(mm, plan, true, false, &bias);
	if (!err)
		err = map_plan(mm, interp, plan, bias);
	if (!err) {
		img->base = bias;
		img->entry = plan->entry + bias;
	}
	file_put(interp);
	/* the program may be fine: what is wrong is its interpreter */
	return err == -ENOEXEC ? -ELIBBAD : err;
}

static int load(struct proc_mm *mm, struct file *f, const void *head, size_t len, bool randomize,
		struct exec_image *img, struct elf_plan *plan, struct elf_plan *interp_plan)
{
	u64 bias;
	int err;

	err = plan_file(f, head, len, plan);
	if (!err)
		err = choose_bias(mm, plan, false, randomize, &bias);
	if (!err)
		err = map_plan(mm, f, plan, bias);
	if (err)
		return err;
	img->exec_entry = img->entry = plan->entry + bias;
	img->phdr = plan->phdr ? plan->phdr + bias : 0;
	img->phnum = plan->phnum;
	img->phent = sizeof(struct elf_phdr);
	img->base = 0;
	img->brk = ALIGN_UP(plan->brk + bias, PAGE_SIZE);
	img->code_start = plan->code_start + bias;
	img->code_end = plan->code_end + bias;
	img->exec_stack = plan->exec_stack;
	return plan->interp_size ? load_interp(mm, f, plan, interp_plan, img) : 0;
}

int elf_load(struct proc_mm *mm, struct file *f, const void *head, size_t len, bool randomize,
	     struct exec_image *img)
{
	struct elf_plan *plans = kmalloc(2 * sizeof(*plans)); /* too large for the stack */
	int err;

	if (!plans)
		return -ENOMEM;
	err = load(mm, f, head, len, randomize, img, &plans[0], &plans[1]);
	kfree(plans);
	return err;
}
