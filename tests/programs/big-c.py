#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""big-c - a C file as large as sqlite3's amalgamation (9 MB), of functions that call each other; and what its program prints.

    big-c.py FILE [MEGABYTES]    writes FILE, prints what the compiled program must print
"""
import random
import sys

MASK = (1 << 32) - 1
# Half of the amalgamation is comments.
PROSE = "/*\n" + "** What is said here is only that there is as much to read as in a file that people have written.\n" * 8 + "*/\n"


def main(path, size):
    rng = random.Random(4711)
    steps, written = [], 0
    with open(path, "w", encoding="ascii") as out:
        out.write("#include <stdio.h>\n#include <stdint.h>\ntypedef struct { uint32_t a, b, c; const char *name; } state;\n")
        while written < size:
            n = len(steps)
            k, m, s, limit = rng.randrange(1 << 31) | 1, rng.randrange(1 << 31), rng.randrange(1, 31), rng.randrange(2, 9)
            steps.append((k, m, s, limit))
            written += out.write(f"""
{PROSE}/* Step {n}: mixes the state {limit} times. */
static void step_{n}(state *s)
{{
	static const char *const names[] = {{ "first of {n}", "second of {n}", "third of {n}" }};
	uint32_t i, t;

	for (i = 0; i < {limit}u; i++) {{
		t = s->a * {k}u + {m}u;
		switch (t & 3) {{
		case 0: s->b ^= t << {s}; s->name = names[0]; break;
		case 1: s->b += t >> {s}; s->name = names[1]; break;
		case 2: s->c ^= (t << {s}) | (t >> {32 - s}); s->name = names[2]; break;
		default: s->c -= t; if (s->b > s->c) s->b--; else s->c--; break;
		}}
		s->a = t ^ s->b ^ s->c;
	}}
}}
""")
        out.write("static void (*const steps[])(state *) = {\n")
        out.writelines(f"\tstep_{n},\n" for n in range(len(steps)))
        out.write("};\nint main(void)\n{\n\tstate s = { 1, 2, 3, \"none\" };\n\n"
                  "\tfor (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)\n\t\tsteps[i](&s);\n"
                  "\treturn printf(\"%u %u %u %s\\n\", s.a, s.b, s.c, s.name) < 0;\n}\n")
    a, b, c, name = 1, 2, 3, "none"
    for n, (k, m, s, limit) in enumerate(steps):
        for _ in range(limit):
            t = (a * k + m) & MASK
            if t & 3 == 0:
                b, name = b ^ (t << s) & MASK, f"first of {n}"
            elif t & 3 == 1:
                b, name = (b + (t >> s)) & MASK, f"second of {n}"
            elif t & 3 == 2:
                c, name = c ^ ((t << s) & MASK | t >> (32 - s)), f"third of {n}"
            else:
                c = (c - t) & MASK
                if b > c:
                    b = (b - 1) & MASK
                else:
                    c = (c - 1) & MASK
            a = t ^ b ^ c
    print(a, b, c, name)


if __name__ == "__main__":
    main(sys.argv[1], int(float(sys.argv[2] if len(sys.argv) > 2 else 9) * 1e6))
