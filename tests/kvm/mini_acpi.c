/* SPDX-License-Identifier: MIT */
/*
 * mini_acpi.c - the tables of a board without anything of old (ACPI 6.4, 5.2): one processor, its local APIC, an IOAPIC.
 *
 * Linux starts no timer of a local APIC that neither ACPI nor an MP table says something of, and Debian's cloud kernels
 * read no MP table.
 */
#include "mini.h"

#include <string.h>

#define HEADER     36
#define RSDP_SIZE  36
#define RSDP_V1    20 /* what its first checksum is of */
#define FADT_SIZE  276
#define FADT_FLAGS 112
#define FADT_XDSDT 140
#define HW_REDUCED (1U << 20)
#define LOCAL_APIC 0xfee00000U

struct table {
	uint8_t *p;
	uint64_t at; /* guest-physical */
	uint32_t size;
};

static void put(struct table *t, uint32_t off, const void *value, uint32_t n)
{
	memcpy(t->p + off, value, n);
}

static void put32(struct table *t, uint32_t off, uint32_t value)
{
	put(t, off, &value, sizeof(value));
}

static void put64(struct table *t, uint32_t off, uint64_t value)
{
	put(t, off, &value, sizeof(value));
}

/* The sum of all bytes is 0. */
static void seal(const struct table *t, uint32_t size, uint32_t off)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + t->p[i]);
	t->p[off] = (uint8_t)-sum;
}

/* A table behind the one before, at a multiple of 16. */
static struct table begin(const struct table *before, const char *signature, uint8_t revision,
			  uint32_t size)
{
	uint64_t skip = (before->size + 15U) & ~15U;
	struct table t = { before->p + skip, before->at + skip, size };

	memset(t.p, 0, size);
	put(&t, 0, signature, 4);
	put32(&t, 4, size);
	t.p[8] = revision;
	put(&t, 10, "DVS   MINIVMM", 13);
	put(&t, 28, "DVS ", 4);
	return t;
}

static void end(const struct table *t)
{
	seal(t, t->size, 9);
}

static struct table make_madt(const struct table *before)
{
	static const uint8_t processor[] = { 0, 8, 0, 0, 1, 0, 0, 0 }; /* number 0, on */
	struct table t = begin(before, "APIC", 5, HEADER + 8 + sizeof(processor) + 12);
	uint32_t at = HEADER + 8;

	put32(&t, HEADER, LOCAL_APIC);
	put(&t, at, processor, sizeof(processor));
	at += sizeof(processor);
	t.p[at] = 1; /* an IOAPIC, whose first interrupt is 0 */
	t.p[at + 1] = 12;
	put32(&t, at + 4, MINI_IOAPIC);
	end(&t);
	return t;
}

uint64_t mini_acpi(uint8_t *ram, uint64_t at)
{
	struct table rsdp = { ram + at, at, RSDP_SIZE };
	struct table dsdt = begin(&rsdp, "DSDT", 6, HEADER); /* no device */
	struct table fadt = begin(&dsdt, "FACP", 6, FADT_SIZE);
	struct table madt, xsdt;

	end(&dsdt);
	put32(&fadt, FADT_FLAGS, HW_REDUCED);
	put64(&fadt, FADT_XDSDT, dsdt.at);
	end(&fadt);
	madt = make_madt(&fadt);
	xsdt = begin(&madt, "XSDT", 1, HEADER + 2 * sizeof(uint64_t));
	put64(&xsdt, HEADER, fadt.at);
	put64(&xsdt, HEADER + sizeof(uint64_t), madt.at);
	end(&xsdt);
	memset(rsdp.p, 0, rsdp.size);
	put(&rsdp, 0, "RSD PTR ", 8);
	put(&rsdp, 9, "DVS   ", 6);
	rsdp.p[15] = 2;
	put32(&rsdp, 20, rsdp.size);
	put64(&rsdp, 24, xsdt.at);
	seal(&rsdp, RSDP_V1, 8);
	seal(&rsdp, rsdp.size, 32);
	return at;
}
