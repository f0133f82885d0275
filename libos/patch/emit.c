/* SPDX-License-Identifier: MIT */
/* emit.c - the bytes of a plan: where the trampoline may lie, what is in it, in which order it is stored. */
#include "patch.h"

#define REL_MAX 0x7fffffffll

bool patch_is_trap(uint8_t byte)
{
	switch (byte) {
	case 0xcc: /* INT3 */
	case 0x06: /* The others push, pop and adjust in 32-bit mode, and are invalid opcodes in 64-bit mode. */
	case 0x07:
	case 0x0e:
	case 0x16:
	case 0x17:
	case 0x1e:
	case 0x1f:
	case 0x27:
	case 0x2f:
	case 0x37:
	case 0x3f:
	case 0x60:
	case 0x61:
	case 0xce:
	case 0xd6:
		return true;
	default:
		return false;
	}
}

static void put_le32(uint8_t *p, uint64_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/* Byte @i of the jump; its first is the opcode. */
static unsigned int jump_shift(unsigned int i)
{
	return 8 * (i - 1);
}

bool patch_place(const struct patch_plan *plan, uint64_t from, uint64_t end, uint64_t *ret_addr)
{
	uint64_t base = plan->addr + PATCH_JUMP_LEN;
	uint64_t addr = from > plan->tramp_min ? from : plan->tramp_min;

	/* From the highest byte down: each moves on to its next value that traps, the lower ones to zero. */
	for (unsigned int i = PATCH_JUMP_LEN - 1; i > 0; i--) {
		uint64_t unit = 1ull << jump_shift(i);

		if (!(plan->traps & 1u << i) ||
		    patch_is_trap((uint8_t)((addr - base) >> jump_shift(i))))
			continue;
		do
			addr = base + ((addr - base) / unit + 1) * unit;
		while (!patch_is_trap((uint8_t)((addr - base) >> jump_shift(i))));
		i = PATCH_JUMP_LEN; /* the carry may have changed a byte above */
	}
	if (addr < from || addr > plan->tramp_max || addr >= end || end - addr < plan->tramp_len)
		return false;
	*ret_addr = addr;
	return true;
}

/* rel32 at @p, which is followed by the next instruction at @next. */
static bool put_rel(uint8_t *p, uint64_t next, uint64_t to)
{
	int64_t rel = (int64_t)(to - next);

	put_le32(p, (uint64_t)rel);
	return rel <= REL_MAX && rel >= -REL_MAX - 1;
}

static bool emit_jump(const struct patch_plan *plan, uint64_t addr, uint8_t *jump)
{
	jump[0] = 0xe9;
	if (!put_rel(jump + 1, plan->addr + PATCH_JUMP_LEN, addr))
		return false;
	for (unsigned int i = 1; i < PATCH_JUMP_LEN; i++)
		if (plan->traps & 1u << i && !patch_is_trap(jump[i]))
			return false;
	return true;
}

/* What SYSCALL does to registers, and on to the entry. */
static bool emit_call(const struct patch_plan *plan, uint64_t at, uint64_t slot, uint8_t *out)
{
	uint64_t after = plan->addr + plan->sys + 2;
	bool ok;

	out[0] = 0x48; /* lea after(%rip), %rcx */
	out[1] = 0x8d;
	out[2] = 0x0d;
	ok = put_rel(out + 3, at + 7, after);
	out += 7;
	at += 7;
	if (plan->form == PATCH_AFTER) {
		out[0] = 0x4c; /* lea tail(%rip), %r11: over the jump */
		out[1] = 0x8d;
		out[2] = 0x1d;
		put_le32(out + 3, 7);
		out += 7;
		at += 7;
	} else {
		out[0] = 0x49; /* mov %rcx, %r11 */
		out[1] = 0x89;
		out[2] = 0xcb;
		out += 3;
		at += 3;
	}
	if (slot <= REL_MAX) {
		out[0] = 0xff; /* jmp *slot */
		out[1] = 0x24;
		out[2] = 0x25;
		put_le32(out + 3, slot);
		return ok;
	}
	out[0] =
		0x2e; /* cs jmp *slot(%rip): the prefix does nothing but make the length the same */
	out[1] = 0xff;
	out[2] = 0x25;
	return put_rel(out + 3, at + 7, slot) && ok;
}

/* An instruction that begins at @from and now at @at, @out. */
static bool emit_insn(const struct patch_plan *plan, size_t from, uint64_t at, uint8_t *out)
{
	const uint8_t *old = plan->old + from;
	struct patch_insn insn;
	size_t len = patch_decode(old, plan->len - from, &insn);
	uint64_t next = plan->addr + from + len;

	if (insn.rel_len == 1) {
		bool jmp = insn.flow == PATCH_FLOW_JMP;

		out[0] = jmp ? 0xe9 : 0x0f;
		out[1] = (uint8_t)(old[len - 2] + 0x10); /* 7x to 0F 8x */
		len = jmp ? 5 : 6;
	} else {
		for (size_t i = 0; i < len; i++)
			out[i] = old[i];
	}
	if (insn.rel_len)
		return put_rel(out + len - 4, at + len,
			       next + (uint64_t)(int64_t)patch_insn_rel(old, &insn));
	if (insn.rip_off)
		return put_rel(out + insn.rip_off, at + len,
			       next + (uint64_t)(int64_t)patch_get_le32(old + insn.rip_off));
	return true;
}

bool patch_emit(const struct patch_plan *plan, uint64_t addr, uint64_t slot,
		uint8_t tramp[PATCH_TRAMP_MAX], uint8_t jump[PATCH_JUMP_LEN])
{
	bool ok = emit_jump(plan, addr, jump);

	for (size_t i = 0; i < plan->n && ok; i++) {
		uint8_t *out = tramp + plan->moved[i];
		uint64_t at = addr + plan->moved[i];

		if (plan->orig[i] == plan->sys) {
			ok = emit_call(plan, at, slot, out);
		} else if (plan->orig[i] < plan->len) {
			ok = emit_insn(plan, plan->orig[i], at, out);
		} else {
			out[0] = 0xe9; /* back behind the window */
			ok = put_rel(out + 1, at + 5, plan->addr + plan->len);
		}
	}
	return ok;
}

static size_t add_step(struct patch_step *steps, size_t n, size_t off, size_t len)
{
	steps[n] = (struct patch_step){ .off = (uint8_t)off, .len = (uint8_t)len };
	return n + 1;
}

/*
 * INT3 at each beginning, so that nobody executes what comes next; then what lies between; then the
 * beginnings. It is what Linux does (arch/x86/kernel/alternative.c, text_poke_bp_batch()).
 */
size_t patch_steps(const struct patch_plan *plan, const uint8_t to[PATCH_JUMP_LEN],
		   struct patch_step ret_steps[PATCH_STEPS_MAX])
{
	unsigned int begins = plan->traps | 1u;
	size_t n = 0;

	for (size_t i = 0; i < PATCH_JUMP_LEN; i++)
		if (begins & 1u << i) {
			n = add_step(ret_steps, n, i, 1);
			ret_steps[n - 1].bytes[0] = 0xcc;
		}
	ret_steps[n - 1].sync = true;
	n = add_step(ret_steps, n, 1, PATCH_JUMP_LEN - 1);
	for (size_t i = 1; i < PATCH_JUMP_LEN; i++)
		ret_steps[n - 1].bytes[i - 1] = begins & 1u << i ? 0xcc : to[i];
	ret_steps[n - 1].sync = true;
	for (size_t i = PATCH_JUMP_LEN; i-- > 0;)
		if (begins & 1u << i) {
			n = add_step(ret_steps, n, i, 1);
			ret_steps[n - 1].bytes[0] = to[i];
		}
	ret_steps[n - 1].sync = true;
	return n;
}

bool patch_ip_original(const struct patch_plan *plan, uint64_t tramp, uint64_t ip, uint64_t *ret_ip)
{
	size_t last = 0;

	if (ip - tramp >= plan->tramp_len)
		return false;
	for (size_t i = 0; i < plan->n; i++)
		if (plan->moved[i] <= ip - tramp)
			last = i;
	*ret_ip = plan->addr + plan->orig[last];
	return true;
}

bool patch_ip_resume(const struct patch_plan *plan, uint64_t tramp, uint64_t ip, uint64_t *ret_ip)
{
	for (size_t i = 0; i < plan->n; i++)
		if (ip == plan->addr + plan->orig[i] && plan->orig[i] < plan->len) {
			*ret_ip = tramp + plan->moved[i];
			return true;
		}
	return false;
}

const char *patch_result_name(enum patch_result result)
{
	static const char *const names[PATCH_RESULTS] = {
		[PATCH_OK] = "patched",
		[PATCH_NOT_SYSCALL] = "no system call",
		[PATCH_SIGRETURN] = "signal return",
		[PATCH_NO_WINDOW] = "no window",
		[PATCH_UNPROVED] = "unproved",
		[PATCH_JUMP_IN] = "jump into the window",
	};

	return (unsigned int)result < PATCH_RESULTS ? names[result] : "unknown";
}

const char *patch_form_name(enum patch_form form)
{
	static const char *const names[PATCH_FORMS] = {
		[PATCH_BEFORE] = "before",
		[PATCH_ACROSS] = "across",
		[PATCH_AFTER] = "after",
	};

	return (unsigned int)form < PATCH_FORMS ? names[form] : "unknown";
}
