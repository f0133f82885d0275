/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <string.h>

#define CALL_LEN(plan) ((plan)->form == PATCH_AFTER ? 21u : 17u)

struct image {
	const struct patch_plan *plan;
	uint64_t addr, slot;
	uint8_t tramp[PATCH_TRAMP_MAX], jump[PATCH_JUMP_LEN];
};

static uint64_t branch_target(const uint8_t *code, uint64_t addr, const struct patch_insn *insn)
{
	return addr + insn->len + (uint64_t)(int64_t)patch_insn_rel(code, insn);
}

static uint64_t operand_addr(const uint8_t *code, uint64_t addr, const struct patch_insn *insn)
{
	return addr + insn->len + (uint64_t)(int64_t)patch_get_le32(code + insn->rip_off);
}

static const char *check_window(const struct patch_code *code, size_t sys,
				const struct patch_plan *p)
{
	size_t start = sys - p->sys, off = 0;
	struct patch_insn insn;

	if (p->addr != code->addr + start || start < code->lo || start + PATCH_JUMP_LEN > code->hi)
		return "window out of bounds";
	if (p->len < PATCH_JUMP_LEN || p->len > PATCH_WINDOW_MAX || p->len > code->size - start ||
	    p->n > PATCH_INSNS_MAX)
		return "window too short or too long";
	if (memcmp(p->old, code->bytes + start, p->len) != 0)
		return "old bytes are others";
	for (size_t i = 0; i < p->n && off < p->len; i++) {
		if (p->orig[i] != off)
			return "instructions do not follow each other";
		if (off && off < PATCH_JUMP_LEN && !(p->traps & 1u << off))
			return "an instruction in the jump does not trap";
		if (!patch_decode(p->old + off, p->len - off, &insn))
			return "no instruction in the window";
		off += insn.len;
	}
	if (off != p->len)
		return "instructions do not end with the window";
	return NULL;
}

/* The same instruction, with the same targets. */
static const char *check_moved(const struct image *im, size_t from, size_t to)
{
	const uint8_t *old = im->plan->old + from, *new = im->tramp + to;
	uint64_t old_addr = im->plan->addr + from, new_addr = im->addr + to;
	struct patch_insn a, b;

	if (!patch_decode(old, im->plan->len - from, &a) ||
	    !patch_decode(new, im->plan->tramp_len - to, &b))
		return "a moved instruction is none";
	if (a.flow != b.flow || a.rip_off != b.rip_off || a.rip_32 || b.rip_32)
		return "a moved instruction is another one";
	if (a.rel_len)
		return b.rel_len == 4 && branch_target(old, old_addr, &a) ==
						 branch_target(new, new_addr, &b)
			       ? NULL
			       : "a moved branch goes elsewhere";
	if (a.len != b.len)
		return "a moved instruction has another length";
	if (a.rip_off && operand_addr(old, old_addr, &a) != operand_addr(new, new_addr, &b))
		return "a moved operand lies elsewhere";
	for (size_t i = 0; i < a.len; i++)
		if (old[i] != new[i] && !(a.rip_off && i >= a.rip_off && i < a.rip_off + 4u))
			return "a moved instruction has other bytes";
	return NULL;
}

static const char *check_call(const struct image *im, size_t to)
{
	const uint8_t *b = im->tramp + to;
	uint64_t addr = im->addr + to, sys = im->plan->addr + im->plan->sys, r11, slot;
	struct patch_insn insn = { 0 };

	if (memcmp(b, "\x48\x8d\x0d", 3) != 0 || !patch_decode(b, 7, &insn) ||
	    operand_addr(b, addr, &insn) != sys + 2)
		return "rcx is not what SYSCALL leaves";
	b += 7;
	addr += 7;
	if (im->plan->form == PATCH_AFTER) {
		if (memcmp(b, "\x4c\x8d\x1d", 3) != 0 || !patch_decode(b, 7, &insn))
			return "r11 is not set";
		r11 = operand_addr(b, addr, &insn);
		b += 7;
		addr += 7;
	} else {
		if (memcmp(b, "\x49\x89\xcb", 3) != 0)
			return "r11 is not set";
		r11 = sys + 2;
		b += 3;
		addr += 3;
	}
	if (!memcmp(b, "\xff\x24\x25", 3))
		slot = (uint64_t)(int64_t)patch_get_le32(b + 3);
	else if (!memcmp(b, "\x2e\xff\x25", 3))
		slot = addr + 7 + (uint64_t)(int64_t)patch_get_le32(b + 3);
	else
		return "no jump to the entry";
	if (slot != im->slot)
		return "another entry";
	return im->plan->form != PATCH_AFTER || r11 == addr + 7 ? NULL : "r11 is not the tail";
}

static const char *check_tramp(const struct image *im)
{
	const struct patch_plan *p = im->plan;
	size_t to = 0;
	struct patch_insn insn = { 0 };

	if (p->tramp_len > PATCH_TRAMP_MAX)
		return "trampoline too long";
	for (size_t i = 0; i < p->n; i++) {
		const char *what = NULL;

		if (p->moved[i] != to)
			return "the trampoline has gaps";
		if (p->orig[i] == p->sys) {
			what = check_call(im, to);
			if (what)
				return what;
			to += CALL_LEN(p);
			continue;
		}
		if (!patch_decode(im->tramp + to, p->tramp_len - to, &insn))
			return "no instruction in the trampoline";
		if (p->orig[i] < p->len)
			what = check_moved(im, p->orig[i], to);
		else if (im->tramp[to] != 0xe9 ||
			 branch_target(im->tramp + to, im->addr + to, &insn) != p->addr + p->len)
			what = "the way back goes elsewhere";
		if (what)
			return what;
		to += insn.len;
	}
	if (to != p->tramp_len)
		return "the trampoline has another length";
	if (p->form == PATCH_AFTER && insn.flow != PATCH_FLOW_JMP && insn.flow != PATCH_FLOW_RET)
		return "the tail has no end";
	return NULL;
}

static bool begins(const struct patch_plan *p, size_t off)
{
	return !off || (off < PATCH_JUMP_LEN && p->traps & 1u << off);
}

/* Between the stores, whatever begins in the jump is as it was, as it will be, or traps. */
static const char *check_steps(const struct patch_plan *p, const uint8_t *from, const uint8_t *to)
{
	struct patch_step steps[PATCH_STEPS_MAX];
	size_t n = patch_steps(p, to, steps);
	uint8_t now[PATCH_JUMP_LEN];
	bool synced = false;

	memcpy(now, from, sizeof(now));
	for (size_t i = 0; i < n; i++) {
		const struct patch_step *s = &steps[i];

		if (!s->len || s->off + s->len > PATCH_JUMP_LEN)
			return "a store out of bounds";
		for (size_t k = 0; k < PATCH_JUMP_LEN && s->len > 1; k++)
			if (!synced || (begins(p, k) && now[k] != 0xcc))
				return "bytes change while they may be executed";
		if (s->len == 1 &&
		    (!begins(p, s->off) || (s->bytes[0] != 0xcc && s->bytes[0] != to[s->off])))
			return "a beginning is neither INT3 nor its last";
		memcpy(now + s->off, s->bytes, s->len);
		for (size_t k = 0; k < PATCH_JUMP_LEN && s->len > 1; k++)
			if (begins(p, k) && now[k] != 0xcc)
				return "a beginning does not trap yet";
		synced = s->sync;
	}
	if (!synced || memcmp(now, to, sizeof(now)) != 0)
		return "stores do not end with the jump";
	return NULL;
}

static const char *check_ips(const struct image *im)
{
	const struct patch_plan *p = im->plan;
	uint64_t ip;

	for (size_t i = 0; i < p->n; i++) {
		if (!patch_ip_original(p, im->addr, im->addr + p->moved[i], &ip) ||
		    ip != p->addr + p->orig[i])
			return "an ip in the trampoline has another original";
		if (p->orig[i] == p->len)
			continue;
		if (!patch_ip_resume(p, im->addr, p->addr + p->orig[i], &ip) ||
		    ip != im->addr + p->moved[i])
			return "a trapped ip is not resumed";
	}
	if (patch_ip_original(p, im->addr, im->addr - 1, &ip) ||
	    patch_ip_original(p, im->addr, im->addr + p->tramp_len, &ip) ||
	    patch_ip_resume(p, im->addr, p->addr + p->len, &ip))
		return "an ip outside is taken for one inside";
	return NULL;
}

const char *check_plan(const struct patch_code *code, size_t sys, const struct patch_plan *plan,
		       uint64_t from, uint64_t slot)
{
	struct image im = { .plan = plan, .slot = slot };
	const char *what = check_window(code, sys, plan);

	if (what)
		return what;
	if (!patch_place(plan, from, UINT64_MAX, &im.addr))
		return NULL; /* out of reach */
	if (!patch_emit(plan, im.addr, slot, im.tramp, im.jump))
		return "a placed trampoline cannot be emitted";
	if (im.jump[0] != 0xe9 ||
	    plan->addr + PATCH_JUMP_LEN + (uint64_t)(int64_t)patch_get_le32(im.jump + 1) != im.addr)
		return "the jump goes elsewhere";
	for (size_t i = 1; i < PATCH_JUMP_LEN; i++)
		if (plan->traps & 1u << i && !patch_is_trap(im.jump[i]))
			return "a byte of the jump does not trap";
	what = check_tramp(&im);
	if (!what)
		what = check_ips(&im);
	if (!what)
		what = check_steps(plan, plan->old, im.jump);
	return what ? what : check_steps(plan, im.jump, plan->old);
}
