/* SPDX-License-Identifier: MIT */
/* The tables follow Intel SDM volume 2, appendix A, and AMD APM volume 3, appendix A. */
#include "insn.h"

/*
 * A character per opcode:
 *	.  nothing follows		m  ModRM
 *	b  imm8				n  ModRM, imm8
 *	w  imm16			i  ModRM, imm16/32
 *	z  imm16/32			q  imm16, imm8
 *	v  imm16/32/64			o  an address
 *	j  rel8				J  rel32
 *	t  ModRM, imm8 if /0 or /1	T  ModRM, imm16/32 if /0 or /1
 *	c  ModRM, whatever its mod	s  see decode_0f78()
 *	x  no instruction
 * Prefixes and escapes are handled before a table is asked, and stand as x.
 */
static const char map_1[256 + 1] = "mmmmbzxxmmmmbzxx" /* 00 */
				   "mmmmbzxxmmmmbzxx"
				   "mmmmbzxxmmmmbzxx"
				   "mmmmbzxxmmmmbzxx"
				   "xxxxxxxxxxxxxxxx" /* 40 */
				   "................"
				   "xxxmxxxxzibn...."
				   "jjjjjjjjjjjjjjjj"
				   "nixnmmmmmmmmmmmm" /* 80 */
				   "..........x....."
				   "oooo....bz......"
				   "bbbbbbbbvvvvvvvv"
				   "nnw.xxniq.w..bx." /* c0 */
				   "mmmmxxx.mmmmmmmm"
				   "jjjjbbbbJJxj...."
				   "x.xx..tT......mm";

static const char map_0f[256 + 1] = "mmmmx.....x.xm.n" /* 00 */
				    "mmmmmmmmmmmmmmmm"
				    "ccccxxxxmmmmmmmm"
				    "......x.xxxxxxxx"
				    "mmmmmmmmmmmmmmmm" /* 40 */
				    "mmmmmmmmmmmmmmmm"
				    "mmmmmmmmmmmmmmmm"
				    "nnnnmmm.smxxmmmm"
				    "JJJJJJJJJJJJJJJJ" /* 80 */
				    "mmmmmmmmmmmmmmmm"
				    "...mnmmm...mnmmm"
				    "mmmmmmmmmmnmmmmm"
				    "mmnmnnnm........" /* c0 */
				    "mmmmmmmmmmmmmmmm"
				    "mmmmmmmmmmmmmmmm"
				    "mmmmmmmmmmmmmmmm";

/* Numbers of maps as VEX and EVEX have them; XOP goes on from 8. */
enum {
	MAP_LEGACY,
	MAP_0F,
	MAP_0F38,
	MAP_0F3A,
	MAP_FP16_5 = 5,
	MAP_FP16_6 = 6,
	MAP_XOP_8 = 8,
	MAP_XOP_A = 10
};

struct reader {
	const uint8_t *code;
	size_t size; /* no more than an instruction may have */
	size_t off;
	bool bad;
	bool opsize, addrsize, repne, rex_w; /* prefixes that a length depends on */
	bool vex;
	uint8_t map, opcode, modrm;
};

static uint8_t next(struct reader *r)
{
	if (r->off >= r->size) {
		r->bad = true;
		return 0;
	}
	return r->code[r->off++];
}

static void skip(struct reader *r, size_t n)
{
	if (n > r->size - r->off)
		r->bad = true;
	else
		r->off += n;
}

static bool is_rex(uint8_t b)
{
	return (b & 0xf0) == 0x40;
}

/* Of the legacy prefixes; notes what a length depends on. */
static bool note_prefix(struct reader *r, uint8_t b)
{
	switch (b) {
	case 0x66:
		r->opsize = true;
		return true;
	case 0x67:
		r->addrsize = true;
		return true;
	case 0xf2:
		r->repne = true;
		return true;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0xf0:
	case 0xf3:
		return true;
	default:
		return false;
	}
}

/* Up to the first byte of the opcode. A REX prefix counts only if the opcode follows at once. */
static uint8_t read_prefixes(struct reader *r)
{
	uint8_t rex = 0, b;

	for (b = next(r); !r->bad && (is_rex(b) || note_prefix(r, b)); b = next(r))
		rex = is_rex(b) ? b : 0;
	r->rex_w = rex & 8;
	return b;
}

/* VEX, EVEX and XOP: prefixes, map and opcode are packed into two to four bytes. */
static void read_vex(struct reader *r, uint8_t escape)
{
	uint8_t p = next(r);

	r->vex = true;
	r->rex_w = false;
	if (escape == 0xc5) {
		r->map = MAP_0F;
	} else if (escape == 0x62) {
		r->map = p & 7;
		r->bad |= p & 8 || !(next(r) & 4);
		skip(r, 1);
	} else {
		r->map = p & 0x1f;
		skip(r, 1);
	}
	r->opcode = next(r);
	if (escape == 0x8f)
		r->bad |= r->map < MAP_XOP_8 || r->map > MAP_XOP_A;
	else if (escape == 0x62)
		r->bad |= r->map < MAP_0F || r->map > MAP_FP16_6 || r->map == 4;
	else
		r->bad |= r->map < MAP_0F || r->map > MAP_0F3A;
}

static void read_opcode(struct reader *r)
{
	uint8_t b = read_prefixes(r);
	/* POP is 8F /0, whose byte never looks like a map of XOP. */
	bool xop = b == 0x8f && r->off < r->size && (r->code[r->off] & 0x1f) >= MAP_XOP_8;

	if (b == 0xc4 || b == 0xc5 || b == 0x62 || xop) {
		read_vex(r, b);
		return;
	}
	if (b == 0x0f) {
		r->map = MAP_0F;
		b = next(r);
		if (b == 0x38 || b == 0x3a) {
			r->map = b == 0x38 ? MAP_0F38 : MAP_0F3A;
			b = next(r);
		}
	}
	r->opcode = b;
}

/* VMREAD; of AMD's SSE4a, EXTRQ and INSERTQ with two immediates. */
static char decode_0f78(const struct reader *r)
{
	return r->opsize || r->repne ? 'q' : 'm';
}

static char operands(const struct reader *r)
{
	if (r->map == MAP_LEGACY)
		return map_1[r->opcode];
	if (r->map == MAP_0F && !r->vex)
		return r->opcode == 0x78 ? decode_0f78(r) : map_0f[r->opcode];
	if (r->map == MAP_0F) {
		if (r->opcode == 0x77) /* VZEROUPPER */
			return '.';
		return (r->opcode & 0xfc) == 0x70 || r->opcode == 0xc2 ||
				       (r->opcode >= 0xc4 && r->opcode <= 0xc6)
			       ? 'n'
			       : 'm';
	}
	if (r->map == MAP_0F3A || r->map == MAP_XOP_8)
		return 'n';
	return r->map == MAP_XOP_A ? 'i' : 'm';
}

static void read_modrm(struct reader *r, bool registers, struct patch_insn *insn)
{
	uint8_t mod, rm;

	r->modrm = next(r);
	mod = r->modrm >> 6;
	rm = r->modrm & 7;
	if (registers || mod == 3)
		return;
	if (rm == 4 && (next(r) & 7) == 5 && mod == 0)
		skip(r, 4);
	if (rm == 5 && mod == 0) {
		insn->rip_off = (uint8_t)r->off;
		insn->rip_32 = r->addrsize;
		skip(r, 4);
	}
	if (mod == 1)
		skip(r, 1);
	if (mod == 2)
		skip(r, 4);
}

static size_t size_z(const struct reader *r)
{
	return r->opsize && !r->rex_w ? 2 : 4;
}

static void read_operands(struct reader *r, struct patch_insn *insn)
{
	char kind = operands(r);
	bool test = false;

	if (kind == 'c' || kind == 'm' || kind == 'n' || kind == 'i' || kind == 't' ||
	    kind == 'T') {
		read_modrm(r, kind == 'c', insn);
		test = !(r->modrm & 0x30);
	}
	if (kind == 'q' && r->map == MAP_0F)
		read_modrm(r, true, insn);
	switch (kind) {
	case 'b':
	case 'n':
	case 'j':
		skip(r, 1);
		break;
	case 't':
		skip(r, test);
		break;
	case 'T':
		skip(r, test ? size_z(r) : 0);
		break;
	case 'w':
		skip(r, 2);
		break;
	case 'q':
		skip(r, r->map == MAP_0F ? 2 : 3);
		break;
	case 'z':
	case 'i':
		skip(r, size_z(r));
		break;
	case 'v':
		skip(r, r->rex_w ? 8 : size_z(r));
		break;
	case 'o':
		skip(r, r->addrsize ? 4 : 8);
		break;
	case 'J':
		skip(r, 4);
		r->bad |= r->opsize && !r->rex_w; /* Intel: rel32; AMD: rel16 */
		break;
	case 'x':
		r->bad = true;
		break;
	default:
		break;
	}
	insn->rel_len = kind == 'j' ? 1 : kind == 'J' ? 4 : 0;
}

static enum patch_flow flow_legacy(const struct reader *r)
{
	uint8_t op = r->opcode, reg = r->modrm >> 3 & 7;

	if ((op & 0xf0) == 0x70)
		return PATCH_FLOW_JCC;
	if (op >= 0xe0 && op <= 0xe3)
		return PATCH_FLOW_LOOP;
	if (op == 0xe8)
		return PATCH_FLOW_CALL;
	if (op == 0xe9 || op == 0xeb)
		return PATCH_FLOW_JMP;
	if (op == 0xc2 || op == 0xc3)
		return PATCH_FLOW_RET;
	if (op == 0xff && reg == 4)
		return PATCH_FLOW_RET;
	if (op == 0xff && (reg == 2 || reg == 3 || reg == 5))
		return PATCH_FLOW_OTHER;
	/* RETF, INT3, IRET, INT1, HLT */
	if (op == 0xca || op == 0xcb || op == 0xcc || op == 0xcf || op == 0xf1 || op == 0xf4)
		return PATCH_FLOW_STOP;
	/* INT; a load of SS holds back interrupts; XABORT and XBEGIN */
	if (op == 0xcd || op == 0x8e || ((op == 0xc6 || op == 0xc7) && reg == 7))
		return PATCH_FLOW_OTHER;
	return PATCH_FLOW_NEXT;
}

static enum patch_flow flow_0f(const struct reader *r)
{
	switch (r->opcode) {
	case 0x05:
		return PATCH_FLOW_SYSCALL;
	case 0x34: /* SYSENTER */
		return PATCH_FLOW_OTHER;
	case 0x07: /* SYSRET, UD2, SYSEXIT, UD1, UD0 */
	case 0x0b:
	case 0x35:
	case 0xb9:
	case 0xff:
		return PATCH_FLOW_STOP;
	default:
		return (r->opcode & 0xf0) == 0x80 ? PATCH_FLOW_JCC : PATCH_FLOW_NEXT;
	}
}

size_t patch_decode(const uint8_t *code, size_t size, struct patch_insn *ret)
{
	struct reader r = { .code = code, .size = size < PATCH_INSN_MAX ? size : PATCH_INSN_MAX };
	struct patch_insn insn = { 0 };

	read_opcode(&r);
	if (r.bad)
		return 0;
	read_operands(&r, &insn);
	if (r.bad)
		return 0;
	insn.len = (uint8_t)r.off;
	if (!r.vex && r.map == MAP_LEGACY)
		insn.flow = (uint8_t)flow_legacy(&r);
	if (!r.vex && r.map == MAP_0F)
		insn.flow = (uint8_t)flow_0f(&r);
	insn.nop = !r.vex && ((r.map == MAP_LEGACY && r.opcode == 0x90) ||
			      (r.map == MAP_0F && r.opcode == 0x1f));
	/* Prefixes before a branch: hints, BND, and sizes that processors disagree about. */
	if (insn.rel_len && (r.opsize || r.addrsize))
		insn.flow = PATCH_FLOW_OTHER;
	*ret = insn;
	return insn.len;
}

int32_t patch_insn_rel(const uint8_t *code, const struct patch_insn *insn)
{
	if (insn->rel_len == 1)
		return (int8_t)code[insn->len - 1];
	return patch_get_le32(code + insn->len - 4);
}
