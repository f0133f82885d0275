// SPDX-License-Identifier: MIT
/* t_vector.c - vector registers of programs while the kernel computes sums and ciphers with the same registers. */
#include "t.h"

#include <linux/if_alg.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATA   (64 << 10)
#define ROUNDS 8000
#define DIGEST 32

static _Alignas(64) uint8_t data[DATA], cipher[DATA], plain[DATA];

/* Sixteen registers of up to 64 bytes, and the two control words. */
struct registers {
	_Alignas(64) uint8_t vector[16][64];
	uint32_t mxcsr;
	uint16_t control;
};

#define EACH(of)                                                                                \
	of(0) of(1) of(2) of(3) of(4) of(5) of(6) of(7) of(8) of(9) of(10) of(11) of(12) of(13) \
		of(14) of(15)
#define LOAD_XMM(n)  "movdqu 64*" #n "(%[in]), %%xmm" #n "\n"
#define STORE_XMM(n) "movdqu %%xmm" #n ", 64*" #n "(%[out])\n"
#define LOAD_YMM(n)  "vmovdqu 64*" #n "(%[in]), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovdqu %%ymm" #n ", 64*" #n "(%[out])\n"
#define LOAD_ZMM(n)  "vmovdqu64 64*" #n "(%[in]), %%zmm" #n "\n"
#define STORE_ZMM(n) "vmovdqu64 %%zmm" #n ", 64*" #n "(%[out])\n"
#define CONTROL_IN   "ldmxcsr %c[mxcsr](%[in])\n fldcw %c[control](%[in])\n"
#define CONTROL_OUT  "stmxcsr %c[mxcsr](%[out])\n fnstcw %c[control](%[out])\n"

/* sendto(@fd, data, @size, 0, NULL, 0) with @in in the registers; what is in them then is @out. */
#define SEND(name, load, store)                                                                    \
	static long name(int fd, size_t size, const struct registers *in, struct registers *out)   \
	{                                                                                          \
		register long r10 __asm__("r10") = 0;                                              \
		register long r8 __asm__("r8") = 0;                                                \
		register long r9 __asm__("r9") = 0;                                                \
		long r;                                                                            \
                                                                                                   \
		__asm__ volatile(EACH(load) CONTROL_IN "mov %[nr], %%eax\n syscall\n" EACH(store)  \
					 CONTROL_OUT                                               \
				 : "=&a"(r)                                                        \
				 : "D"((long)fd), "S"(data), "d"(size), "r"(r10), "r"(r8),         \
				   "r"(r9), [nr] "i"(SYS_sendto), [in] "b"(in), [out] "r"(out),    \
				   [mxcsr] "i"(offsetof(struct registers, mxcsr)),                 \
				   [control] "i"(offsetof(struct registers, control))              \
				 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", \
				   "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",       \
				   "xmm12", "xmm13", "xmm14", "xmm15");                            \
		return r;                                                                          \
	}

SEND(send_xmm, LOAD_XMM, STORE_XMM)
SEND(send_ymm, LOAD_YMM, STORE_YMM)
SEND(send_zmm, LOAD_ZMM, STORE_ZMM)

/* With the widest registers that there are; checks that all are as they were. */
static void send_holding(int fd, size_t size, unsigned int seed)
{
	struct registers in = { .mxcsr = 0x1f80 | (seed & 3) << 13, .control = 0x37f }, out = in;
	size_t width = 16;
	long r;

	for (size_t i = 0; i < sizeof(in.vector); i++)
		((uint8_t *)in.vector)[i] = (uint8_t)(seed * 31 + i * 7 + i / 64);
	if (__builtin_cpu_supports("avx512f")) {
		width = 64;
		r = send_zmm(fd, size, &in, &out);
	} else if (__builtin_cpu_supports("avx")) {
		width = 32;
		r = send_ymm(fd, size, &in, &out);
	} else {
		r = send_xmm(fd, size, &in, &out);
	}
	CHECK(r == (long)size);
	for (int i = 0; i < 16; i++)
		CHECK(!memcmp(in.vector[i], out.vector[i], width));
	CHECK(out.mxcsr == in.mxcsr && out.control == in.control);
}

static int alg_open(const char *type, const char *name, const void *key, socklen_t key_size)
{
	struct sockaddr_alg a = { .salg_family = AF_ALG };
	int listener = socket(AF_ALG, SOCK_SEQPACKET, 0), fd;

	CHECK(listener >= 0);
	(void)snprintf((char *)a.salg_type, sizeof(a.salg_type), "%s", type);
	(void)snprintf((char *)a.salg_name, sizeof(a.salg_name), "%s", name);
	CHECK(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0);
	if (key)
		CHECK(setsockopt(listener, SOL_ALG, ALG_SET_KEY, key, key_size) == 0);
	fd = accept(listener, NULL, NULL);
	CHECK(fd >= 0);
	close(listener);
	return fd;
}

/* FIPS 180-4: a million times "a"; and "abc". */
static void sums_are_right(void)
{
	static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea },
			     million[] = { 0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92 };
	int fd = alg_open("hash", "sha256", NULL, 0);
	uint8_t digest[DIGEST];

	CHECK(send(fd, "abc", 3, 0) == 3 && read(fd, digest, DIGEST) == DIGEST);
	CHECK(!memcmp(digest, abc, sizeof(abc)));
	memset(data, 'a', sizeof(data));
	for (int left = 1000000, n; left; left -= n) {
		n = left < 50000 ? left : 50000;
		CHECK(send(fd, data, (size_t)n, left > n ? MSG_MORE : 0) == n);
	}
	CHECK(read(fd, digest, DIGEST) == DIGEST && !memcmp(digest, million, sizeof(million)));
	close(fd);
}

/* All of @from with AES-XTS, into @to. */
static void crypt_all(int fd, uint32_t op, const uint8_t *from, uint8_t *to)
{
	char control[CMSG_SPACE(sizeof(op)) + CMSG_SPACE(sizeof(uint32_t) + 16)] = { 0 };
	struct iovec v = { (void *)(uintptr_t)from, DATA };
	struct msghdr msg = { .msg_control = control,
			      .msg_controllen = sizeof(control),
			      .msg_iov = &v,
			      .msg_iovlen = 1 };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	const uint32_t iv_size = 16; /* of zeros, behind it */

	c->cmsg_level = SOL_ALG;
	c->cmsg_type = ALG_SET_OP;
	c->cmsg_len = CMSG_LEN(sizeof(op));
	memcpy(CMSG_DATA(c), &op, sizeof(op));
	c = CMSG_NXTHDR(&msg, c);
	c->cmsg_level = SOL_ALG;
	c->cmsg_type = ALG_SET_IV;
	c->cmsg_len = CMSG_LEN(sizeof(iv_size) + 16);
	memcpy(CMSG_DATA(c), &iv_size, sizeof(iv_size));
	CHECK(sendmsg(fd, &msg, 0) == DATA);
	for (size_t done = 0; done < DATA;) {
		ssize_t n = read(fd, to + done, DATA - done);

		CHECK(n > 0);
		done += (size_t)n;
	}
}

/* IEEE 1619, vector 1, in its first 32 bytes: with zeros for keys and sector. */
static void ciphers_are_right(void)
{
	static const uint8_t wanted[32] = { 0x91, 0x7c, 0xf6, 0x9e, 0xbd, 0x68, 0xb2, 0xec,
					    0x9b, 0x9f, 0xe9, 0xa3, 0xea, 0xdd, 0xa6, 0x92,
					    0xcd, 0x43, 0xd2, 0xf5, 0x95, 0x98, 0xed, 0x85,
					    0x8c, 0x02, 0xc2, 0x65, 0x2f, 0xbf, 0x92, 0x2e };
	static const uint8_t key[32];
	int fd = alg_open("skcipher", "xts(aes)", key, sizeof(key));

	memset(data, 0, sizeof(data));
	crypt_all(fd, ALG_OP_ENCRYPT, data, cipher);
	CHECK(!memcmp(cipher, wanted, sizeof(wanted)));
	crypt_all(fd, ALG_OP_DECRYPT, cipher, plain);
	CHECK(!memcmp(data, plain, DATA));
	close(fd);
}

static void hash_holding(unsigned int seed)
{
	int fd = alg_open("hash", "sha256", NULL, 0);
	uint8_t first[DIGEST], digest[DIGEST];

	memset(data, (int)seed, sizeof(data));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		send_holding(fd, i % 8 ? 4096 : DATA, seed + i);
		if (i % 8)
			continue;
		CHECK(read(fd, digest, DIGEST) == DIGEST);
		if (i)
			CHECK(!memcmp(first, digest, DIGEST));
		memcpy(first, digest, DIGEST);
	}
	close(fd);
}

static void registers_stay(void)
{
	hash_holding(1);
}

/* Each is preempted within its sums, and so the registers go from one host process to another. */
static void registers_stay_of_many(void)
{
	pid_t pid[3];
	int status;

	for (unsigned int i = 0; i < 3; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (!pid[i]) {
			hash_holding(i + 10);
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++)
		CHECK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
}

static volatile sig_atomic_t hits;

/* Spoils all that a handler may, and computes a sum of its own on the way. */
static void on_alarm(int signal)
{
	(void)signal;
	hits++;
	__asm__ volatile(
		"pcmpeqd %%xmm0, %%xmm0\n movdqa %%xmm0, %%xmm7\n movdqa %%xmm0, %%xmm15" ::
			: "xmm0", "xmm7", "xmm15");
}

static void registers_stay_under_signals(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (unsigned int i = 0; i < 20 && hits < 5; i++)
		hash_holding(5 + i);
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(hits >= 5);
}

int main(int argc, char **argv)
{
	static const struct t_case cases[] = {
		{ "sums are right", sums_are_right },
		{ "ciphers are right", ciphers_are_right },
		{ "registers stay across sums", registers_stay },
		{ "registers stay of many processes", registers_stay_of_many },
		{ "registers stay under signals", registers_stay_under_signals },
		{ NULL, NULL },
	};

	return t_main(argc, argv, cases);
}
