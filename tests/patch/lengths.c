/* SPDX-License-Identifier: MIT */
/*
 * lengths FILE... - patch_decode() beside objdump, over all instructions of programs.
 *
 * Compared are the length, and whether there is a branch target or an operand relative to RIP. Left out is
 * what objdump does not take for one instruction: "(bad)", prefixes alone (before what can't have them),
 * FWAIT, which it joins with the next; and the near branches that processors disagree about, jmpw and callw.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "insn.h"

#define COMPLAINTS_MAX 20

struct counts {
	unsigned long insns, left_out, differ;
};

static bool is_prefix(uint8_t b)
{
	return (b & 0xf0) == 0x40 || (b & 0xe7) == 0x26 || (b >= 0x64 && b <= 0x67) || b == 0xf0 ||
	       b == 0xf2 || b == 0xf3;
}

/* The bytes of a line "  addr:\t01 02 03 \tmnemonic operands"; *ret_text is what follows. */
static size_t parse_line(const char *line, uint8_t *bytes, size_t max, const char **ret_text)
{
	const char *p = strchr(line, ':');
	size_t n = 0;

	if (!p || p[1] != '\t')
		return 0;
	for (p += 2; n < max && isxdigit((unsigned char)p[0]) && isxdigit((unsigned char)p[1]) &&
		     p[2] == ' ';
	     p += 3)
		bytes[n++] = (uint8_t)strtoul((char[]){ p[0], p[1], 0 }, NULL, 16);
	while (*p == ' ')
		p++;
	if (*p != '\t')
		return 0;
	*ret_text = p + 1;
	return n;
}

static bool is_left_out(const uint8_t *b, size_t n, const char *text)
{
	if (strstr(text, "(bad)") || strstr(text, ".byte") || strstr(text, "jmpw ") ||
	    strstr(text, "callw ") || (b[0] == 0x9b && n > 1))
		return true;
	for (size_t i = 0; i < n; i++)
		if (!is_prefix(b[i]))
			return false;
	return true;
}

/* objdump writes the target of a direct branch as a bare number, that of others with "*". */
static bool is_branch(const char *text)
{
	static const char *const prefixes[] = { "bnd ", "notrack ", "repz ",   "data16 ", "rex",
						"cs ",  "ds ",      "es ",     "fs ",     "gs ",
						"ss ",  "lock ",    "addr32 ", "repnz " };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(text, prefixes[i], strlen(prefixes[i]))) {
			text = strchr(text, ' ');
			if (!text)
				return false;
			while (*text == ' ')
				text++;
			i = (size_t)-1;
		}
	if (text[0] != 'j' && strncmp(text, "call", 4) != 0 && strncmp(text, "loop", 4) != 0)
		return false;
	text = strchr(text, ' ');
	while (text && *text == ' ')
		text++;
	return text && isxdigit((unsigned char)*text);
}

static bool agrees(const uint8_t *b, size_t n, const char *text)
{
	bool rip = strstr(text, "(%rip") || strstr(text, "(%eip");
	struct patch_insn insn;

	if (patch_decode(b, n, &insn) != n)
		return false;
	return (insn.rel_len != 0) == is_branch(text) && (insn.rip_off != 0) == rip;
}

static void compare(FILE *in, struct counts *c)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, in) > 0) {
		const char *text = NULL;
		uint8_t b[32];
		size_t n = parse_line(line, b, sizeof(b), &text);

		if (!n)
			continue;
		if (is_left_out(b, n, text)) {
			c->left_out++;
			continue;
		}
		c->insns++;
		if (!agrees(b, n, text) && c->differ++ < COMPLAINTS_MAX)
			printf("# %s", line);
	}
	free(line);
}

static bool try_file(const char *path, int number)
{
	struct counts c = { 0 };
	char command[512];
	FILE *in;

	if (access(path, R_OK) != 0) {
		printf("ok %d - %s # skip binaries: '%s' is not here\n", number, path, path);
		return true;
	}
	(void)snprintf(command, sizeof(command), "objdump -d -w '%s'", path);
	in = popen(command, "re");
	if (in)
		compare(in, &c);
	if (!in || pclose(in) != 0)
		c.differ++;
	printf("%s %d - %s: %lu instructions, %lu left out, %lu differ\n",
	       c.differ || !c.insns ? "not ok" : "ok", number, path, c.insns, c.left_out, c.differ);
	return !c.differ && c.insns;
}

int main(int argc, char **argv)
{
	bool ok = true;

	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++)
		ok &= try_file(argv[i], i);
	return !ok;
}
