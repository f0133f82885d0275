/* SPDX-License-Identifier: GPL-2.0-only */
/* gettimeofday.h - what the vDSO is made with: the counter, its data, and calls for all other clocks */
#ifndef LO_ASM_VDSO_GETTIMEOFDAY_H
#define LO_ASM_VDSO_GETTIMEOFDAY_H

#ifndef __ASSEMBLY__
#include <asm/barrier.h>
#include <asm/unistd.h>
#include <uapi/linux/time.h>

#define VDSO_HAS_TIME         1
#define VDSO_HAS_CLOCK_GETRES 1

static __always_inline long lo_vdso_call(long nr, long arg1, const void *arg2)
{
	long r;

	asm volatile("syscall" : "=a"(r) : "a"(nr), "D"(arg1), "S"(arg2) : "rcx", "r11", "memory");
	return r;
}

static __always_inline long gettimeofday_fallback(struct __kernel_old_timeval *tv,
						  struct timezone *tz)
{
	return lo_vdso_call(__NR_gettimeofday, (long)tv, tz);
}

static __always_inline long clock_gettime_fallback(clockid_t clock, struct __kernel_timespec *ts)
{
	return lo_vdso_call(__NR_clock_gettime, clock, ts);
}

static __always_inline long clock_getres_fallback(clockid_t clock, struct __kernel_timespec *ts)
{
	return lo_vdso_call(__NR_clock_getres, clock, ts);
}

/* Not before what the program did before: LFENCE, which costs less than RDTSCP. */
static __always_inline u64 __arch_get_hw_counter(s32 mode, const struct vdso_data *data)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (u64)high << 32 | low;
}

static __always_inline const struct vdso_data *__arch_get_vdso_data(void)
{
	return _vdso_data;
}
#endif

#endif
