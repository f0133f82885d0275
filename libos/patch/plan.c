/* SPDX-License-Identifier: MIT */
/*
 * plan.c - which instructions around a system call make room for a jump.
 *
 * Theory of operation
 *
 * The trap has proved that an instruction begins at the syscall, and the bytes behind it are what the
 * program executes next. So windows that begin with the syscall need no proof. For windows that begin
 * before it, prove() shows that instructions begin where we think: by decoding from the start of the
 * function, if the caller knows it, or from two facts.
 *  - An instruction has at most 15 bytes, so of 15 addresses in a row one begins an instruction, if what
 *    lies there is code. If decoding from each of the 15, as far as it leads to instructions at all,
 *    arrives at the window's first byte, so does the program.
 *  - note_code(): data and padding lie behind an instruction that does not go on to the next one. What comes
 *    then is code only from where something leads to: a direct branch that we have seen, or an aligned
 *    address, where functions begin. Behind bytes that are certainly data, short branches do not count, for
 *    they may be data too.
 *
 * Direct branches into the candidates are looked for: near ones at each byte of what was given, short ones
 * where instructions begin. A target that begins an instruction is served in any case (see patch.h), but
 * costs a trap each time, so that other windows come first. A target inside an instruction (compilers jump
 * over a lock prefix) rules the window out.
 */
#include "patch.h"

#define CODE_MAX     (1u << 30)
#define BEFORE_MAX   32 /* bytes of instructions before the syscall that are moved */
#define BEFORE_INSNS 8
#define NEAR_BEFORE \
	160 /* how far around the syscall it is known what is on the path, and what a target */
#define NEAR_AFTER  32
#define PATH_BEFORE 384  /* decoding starts here: it has found its feet when it comes near */
#define PATH_AFTER  192  /* ... and looks for short branches back */
#define ALIGNMENT   16   /* of functions */
#define UNKNOWN     0xff /* length */
#define ADDR_MAX    (~0ull)
#define REACH       (0x80000000ull - 4096) /* of a rel32, with room for where it lies */

/* What is worse about a window than about another one. */
#define COST_TRAP  2 /* an instruction begins where the trampoline's address can be chosen easily */
#define COST_FAR   6 /* ... where it takes an address of its own in 256, or more than 96 MiB away */
#define COST_TAIL  4 /* two more jumps */
#define COST_ENTRY 8 /* a known branch that will trap each time */

#define SYSCALL_LEN   2
#define NR_exit       60
#define NR_exit_group 231
#define NR_sigreturn  15

enum reach {
	SHORT = 1,
	NEAR = 2
};

/* Arrays have an entry for each byte from sys - NEAR_BEFORE on. */
struct scan {
	const struct patch_code *code;
	size_t sys;
	bool broken; /* something on the path from bytes[0] to the syscall is no code */
	bool on_path[NEAR_BEFORE];
	bool is_code[NEAR_BEFORE];                /* see note_code() */
	uint8_t target[NEAR_BEFORE + NEAR_AFTER]; /* of direct branches: NEAR, SHORT */
	uint8_t len[NEAR_BEFORE];                 /* see length_at() */
};

struct candidate {
	size_t start;
	unsigned int cost;
};

static bool is_target(const struct scan *s, size_t off)
{
	if (off + NEAR_BEFORE < s->sys || off >= s->sys + NEAR_AFTER)
		return false;
	return s->target[off + NEAR_BEFORE - s->sys];
}

/* @to is an offset that wraps as the processor's addresses do: one that is not near is none of ours. */
static void note_target(struct scan *s, uint64_t to, enum reach reach)
{
	uint64_t i = to + NEAR_BEFORE - s->sys;

	if (i < sizeof(s->target))
		s->target[i] |= (uint8_t)reach;
}

/* Near calls and jumps, wherever they might begin; tested first is the distance, which hardly ever fits. */
static void sweep_near(struct scan *s)
{
	const uint8_t *b = s->code->bytes;

	for (size_t rel = 1; rel + 4 <= s->code->size; rel++) {
		uint64_t to = rel + 4 + (uint64_t)(int64_t)patch_get_le32(b + rel);

		if (to + NEAR_BEFORE - s->sys >= sizeof(s->target))
			continue;
		if ((b[rel - 1] & 0xfe) == 0xe8 ||
		    (rel > 1 && b[rel - 2] == 0x0f && (b[rel - 1] & 0xf0) == 0x80))
			note_target(s, to, NEAR);
	}
}

/* Short ones along the path, which is put right at the syscall. */
static void sweep_path(struct scan *s)
{
	const struct patch_code *code = s->code;
	size_t off = code->starts_insn || s->sys < PATH_BEFORE ? 0 : s->sys - PATH_BEFORE;
	size_t end = code->size - s->sys < PATH_AFTER ? code->size : s->sys + PATH_AFTER;
	struct patch_insn insn;

	while (off < end) {
		if (off < s->sys && off + NEAR_BEFORE >= s->sys)
			s->on_path[off + NEAR_BEFORE - s->sys] = true;
		if (!patch_decode(code->bytes + off, code->size - off, &insn)) {
			s->broken |= off < s->sys;
			off++;
			continue;
		}
		if (insn.rel_len == 1)
			note_target(
				s,
				off + insn.len +
					(uint64_t)(int64_t)patch_insn_rel(code->bytes + off, &insn),
				SHORT);
		if (off < s->sys && off + insn.len > s->sys)
			off = s->sys;
		else
			off += insn.len;
	}
}

static bool falls_through(const struct patch_insn *insn)
{
	return insn->flow != PATCH_FLOW_JMP && insn->flow != PATCH_FLOW_RET &&
	       insn->flow != PATCH_FLOW_STOP;
}

/* Of the instruction at index @i of the arrays; 0 if it is none. */
static size_t length_at(struct scan *s, size_t i)
{
	size_t off = s->sys + i - NEAR_BEFORE;
	struct patch_insn insn;

	if (s->len[i] == UNKNOWN)
		s->len[i] = (uint8_t)patch_decode(s->code->bytes + off, s->code->size - off, &insn);
	return s->len[i];
}

/* Does each way to decode the bytes before @start, and each known branch target there, arrive at @start? */
static bool all_arrive(struct scan *s, size_t start)
{
	enum {
		NO_CODE,
		ARRIVES,
		MISSES
	};
	uint8_t way[NEAR_BEFORE];
	size_t end = start + NEAR_BEFORE - s->sys;
	size_t first = s->sys < NEAR_BEFORE ? NEAR_BEFORE - s->sys : 0;
	size_t run = 0, since_arrival = PATCH_INSN_MAX;

	for (size_t i = end; i-- > first;) {
		size_t len = length_at(s, i), to = i + len;

		way[i] = !len ? NO_CODE : to == end ? ARRIVES : to > end ? MISSES : way[to];
		if (way[i] == MISSES && s->target[i])
			return false;
		run = way[i] == MISSES ? 0 : run + 1;
		since_arrival = way[i] == ARRIVES ? 0 : since_arrival + 1;
		if (run >= PATCH_INSN_MAX && since_arrival < PATCH_INSN_MAX)
			return true;
	}
	return false;
}

/* What the path has come to. */
enum ground {
	CODE,
	CALLED, /* code, if the call before it returns */
	ENDED,  /* behind a jump or a return */
	DATA,
	PADDED, /* behind data */
};

static enum ground pad(enum ground g, bool stops)
{
	if (g == DATA || g == PADDED)
		return PADDED;
	return g == CODE && !stops ? CODE : ENDED;
}

/* At an instruction, whose index is @i: something may lead here. */
static enum ground arrive(const struct scan *s, enum ground g, size_t i)
{
	bool aligned = !((s->code->addr + s->sys + i - NEAR_BEFORE) % ALIGNMENT);

	if (g == CODE || g == CALLED || s->target[i] & NEAR)
		return CODE;
	if (g == ENDED)
		return s->target[i] || aligned ? CODE : DATA;
	return g == PADDED && aligned ? CODE : DATA;
}

/* "add %al, (%rax)", which no compiler makes. */
static bool is_zeros(const uint8_t *code, const struct patch_insn *insn)
{
	return insn->len == 2 && !code[0] && !code[1];
}

/* Where does the path come to through nothing but code? */
static void note_code(struct scan *s)
{
	const struct patch_code *code = s->code;
	size_t first = s->sys < NEAR_BEFORE ? NEAR_BEFORE - s->sys : 0;
	enum ground g = first && !code->starts_insn ? ENDED : CODE;

	for (size_t i = first; i < NEAR_BEFORE; i++) {
		size_t off = s->sys + i - NEAR_BEFORE;
		const uint8_t *b = code->bytes + off;
		struct patch_insn insn;

		if (!s->on_path[i])
			continue;
		if (!patch_decode(b, code->size - off, &insn) || is_zeros(b, &insn)) {
			g = DATA;
			continue;
		}
		if (insn.nop || b[0] == 0xcc) {
			g = pad(g, b[0] == 0xcc);
			continue;
		}
		g = arrive(s, g, i);
		s->is_code[i] = g == CODE;
		if (g == CODE && !falls_through(&insn))
			g = ENDED;
		if (g == CODE && (insn.flow == PATCH_FLOW_CALL || insn.flow == PATCH_FLOW_OTHER))
			g = CALLED;
	}
}

static bool prove(struct scan *s, size_t start)
{
	size_t i = start + NEAR_BEFORE - s->sys;

	if (s->code->starts_insn && !s->broken)
		return s->on_path[i];
	return s->is_code[i] && all_arrive(s, start);
}

static bool may_move(const struct patch_insn *insn)
{
	return insn->flow == PATCH_FLOW_NEXT && !insn->rip_32;
}

/* Behind the syscall, branches whose distance can be made longer may be moved too. */
static bool may_move_behind(const struct patch_insn *insn)
{
	return may_move(insn) || insn->flow == PATCH_FLOW_JCC || insn->flow == PATCH_FLOW_JMP ||
	       (insn->flow == PATCH_FLOW_RET && !insn->rip_32);
}

/* The trampoline must be within reach of @to as well. */
static void limit_reach(struct patch_plan *p, uint64_t to)
{
	uint64_t min = to > REACH ? to - REACH : 0,
		 max = to < ADDR_MAX - REACH ? to + REACH : ADDR_MAX;

	p->tramp_min = min > p->tramp_min ? min : p->tramp_min;
	p->tramp_max = max < p->tramp_max ? max : p->tramp_max;
}

static void add_moved(struct patch_plan *p, size_t orig, size_t len)
{
	p->orig[p->n] = (uint8_t)orig;
	p->moved[p->n++] = p->tramp_len;
	p->tramp_len = (uint8_t)(p->tramp_len + len);
}

static void add_insn(struct patch_plan *p, const uint8_t *code, size_t orig,
		     const struct patch_insn *insn)
{
	uint64_t next = p->addr + orig + insn->len;
	size_t len = insn->len;

	if (insn->rip_off)
		limit_reach(p, next + (uint64_t)(int64_t)patch_get_le32(code + insn->rip_off));
	if (insn->rel_len)
		limit_reach(p, next + (uint64_t)(int64_t)patch_insn_rel(code, insn));
	if (insn->rel_len == 1)
		len = insn->flow == PATCH_FLOW_JMP ? 5 : 6;
	add_moved(p, orig, len);
}

/* The instructions from @start to the end of the window. */
static bool lay_out(const struct scan *s, size_t start, struct patch_plan *p)
{
	const uint8_t *b = s->code->bytes;
	struct patch_insn insn = { 0 };
	size_t off = start;

	while (off < s->sys) {
		if (!patch_decode(b + off, s->sys - off, &insn) || !may_move(&insn) ||
		    p->n == BEFORE_INSNS)
			return false;
		if (insn.nop || is_zeros(b + off, &insn))
			return false; /* they align what follows: nothing may lead to what lies before */
		add_insn(p, b + off, off - start, &insn);
		off += insn.len;
	}
	add_moved(p, off - start, 0);
	off += SYSCALL_LEN;
	p->form = (uint8_t)(off - start < PATCH_JUMP_LEN ? PATCH_AFTER : PATCH_ACROSS);
	/* lea, mov or lea, jmp */
	p->tramp_len = (uint8_t)(p->tramp_len + (p->form == PATCH_AFTER ? 7 + 7 + 7 : 7 + 3 + 7));
	insn = (struct patch_insn){ 0 };
	while (off - start < PATCH_JUMP_LEN) {
		if (!falls_through(&insn) || !patch_decode(b + off, s->code->size - off, &insn) ||
		    !may_move_behind(&insn))
			return false;
		add_insn(p, b + off, off - start, &insn);
		off += insn.len;
	}
	if (p->form == PATCH_AFTER && falls_through(&insn))
		add_moved(p, off - start, 5);
	p->len = (uint8_t)(off - start);
	return true;
}

/* What must trap, and what the ways into the window cost. */
static bool check_entries(const struct scan *s, size_t start, struct patch_plan *p,
			  unsigned int *cost)
{
	bool begins[PATCH_WINDOW_MAX + 1] = { false };

	for (size_t i = 0; i < p->n; i++)
		begins[p->orig[i]] = true;
	for (size_t i = 1; i < p->len; i++) {
		if (i < PATCH_JUMP_LEN && begins[i]) {
			p->traps |= (uint8_t)(1u << i);
			*cost += i == 1 || i == 4 ? COST_FAR : COST_TRAP;
		}
		if (!is_target(s, start + i))
			continue;
		if (i < PATCH_JUMP_LEN && !begins[i])
			return false;
		*cost += i <= p->sys || i < PATCH_JUMP_LEN ? COST_ENTRY : 0;
	}
	if (!p->traps && p->form == PATCH_ACROSS)
		p->form = PATCH_BEFORE;
	*cost += p->form == PATCH_AFTER ? COST_TAIL : 0;
	return true;
}

/* "mov $nr, %eax" right before the syscall with another number than the trap's: it came by a jump. */
static void note_number(struct scan *s)
{
	const uint8_t *before = s->code->bytes + s->sys - 5;

	if (s->code->nr != PATCH_NR_UNKNOWN && s->sys >= 5 && before[0] == 0xb8 &&
	    patch_get_le32(before + 1) != s->code->nr)
		s->target[NEAR_BEFORE] |= SHORT;
}

static enum patch_result try_window(struct scan *s, size_t start, struct patch_plan *p,
				    unsigned int *cost)
{
	const struct patch_code *code = s->code;
	bool returns = code->nr != NR_exit && code->nr != NR_exit_group;

	*p = (struct patch_plan){ .addr = code->addr + start, .tramp_max = ADDR_MAX };
	*cost = 0;
	p->sys = (uint8_t)(s->sys - start);
	limit_reach(p, p->addr);
	if (start < code->lo || start + PATCH_JUMP_LEN > code->hi)
		return PATCH_NO_WINDOW;
	if (!lay_out(s, start, p) || (p->form == PATCH_AFTER && !returns))
		return PATCH_NO_WINDOW;
	if (!check_entries(s, start, p, cost))
		return PATCH_JUMP_IN;
	if (start != s->sys && !prove(s, start))
		return PATCH_UNPROVED;
	for (size_t i = 0; i < p->len; i++)
		p->old[i] = code->bytes[start + i];
	return PATCH_OK;
}

static bool is_sigreturn(const struct patch_code *code, size_t sys)
{
	const uint8_t *b = code->bytes + sys;

	if (code->nr == NR_sigreturn)
		return true;
	if (sys >= 5 && b[-5] == 0xb8 && patch_get_le32(b - 4) == NR_sigreturn)
		return true;
	return sys >= 7 && b[-7] == 0x48 && b[-6] == 0xc7 && b[-5] == 0xc0 &&
	       patch_get_le32(b - 4) == NR_sigreturn;
}

/* By cost, the nearer to the syscall among equals. NULL: there are no more than @skip. */
static const struct candidate *pick(const struct candidate *c, size_t n, unsigned int skip)
{
	for (size_t i = 0; i < n; i++) {
		unsigned int better = 0;

		for (size_t j = 0; j < n; j++)
			better += c[j].cost < c[i].cost || (j < i && c[j].cost == c[i].cost);
		if (better == skip)
			return &c[i];
	}
	return NULL;
}

enum patch_result patch_plan(const struct patch_code *code, size_t sys, unsigned int skip,
			     struct patch_plan *ret_plan)
{
	struct candidate candidates[BEFORE_MAX + 1];
	const struct candidate *best;
	struct scan s = { .code = code, .sys = sys };
	enum patch_result result = PATCH_NO_WINDOW;
	struct patch_plan plan;
	unsigned int cost;
	size_t n = 0;

	if (code->size > CODE_MAX || code->addr > ADDR_MAX - code->size || code->hi > code->size)
		return PATCH_NOT_SYSCALL;
	if (sys >= code->size || code->size - sys < SYSCALL_LEN || code->bytes[sys] != 0x0f ||
	    code->bytes[sys + 1] != 0x05)
		return PATCH_NOT_SYSCALL;
	if (is_sigreturn(code, sys))
		return PATCH_SIGRETURN;
	sweep_near(&s);
	sweep_path(&s);
	for (size_t i = 0; i < NEAR_BEFORE; i++)
		s.len[i] = UNKNOWN;
	note_code(&s);
	note_number(&s);
	for (size_t back = 0; back <= BEFORE_MAX && back <= sys; back++) {
		enum patch_result r;

		if (back && !s.on_path[NEAR_BEFORE - back])
			continue;
		r = try_window(&s, sys - back, &plan, &cost);
		if (r == PATCH_OK)
			candidates[n++] = (struct candidate){ sys - back, cost };
		result = r > result ? r : result;
	}
	best = pick(candidates, n, skip);
	if (!best)
		return n ? PATCH_NO_WINDOW : result;
	(void)try_window(&s, best->start, &plan, &cost);
	*ret_plan = plan;
	return PATCH_OK;
}
