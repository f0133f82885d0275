/* SPDX-License-Identifier: MIT */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "luks.h"

#define ROOM (KEYFILE_MAX + 4096) /* whole pages, and more than KEYFILE_MAX */

static int read_all(int fd, struct keyfile *k)
{
	while (k->size <= KEYFILE_MAX) {
		ssize_t n = read(fd, k->data + k->size, ROOM - k->size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return 0;
		k->size += n > 0 ? (size_t)n : 0;
	}
	return -EFBIG;
}

int keyfile_read(const char *path, struct keyfile *ret, struct err *e)
{
	bool input = !strcmp(path, "-");
	_cleanup_close_ int opened = input ? -1 : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	_cleanup_keyfile_ struct keyfile k = { 0 };
	int fd = input ? STDIN_FILENO : opened, r;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot open the key file '%.150s': %s", path,
			       err_str(errno));
	k.data = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (k.data == MAP_FAILED) {
		k.data = NULL;
		return err_set(e, ENOMEM, "no memory");
	}
	/* Not in a core, in a child (the keeper of scratch.h lives as long as we do) or, where we may, in swap. */
	(void)madvise(k.data, ROOM, MADV_DONTDUMP);
	(void)madvise(k.data, ROOM, MADV_DONTFORK);
	(void)mlock(k.data, ROOM);
	k.loose = S_ISREG(st.st_mode) && (st.st_mode & 077);
	r = read_all(fd, &k);
	if (r == -EFBIG)
		return err_set(
			e, EFBIG,
			"the key file '%.150s' has more than the %u bytes that a key may have",
			path, KEYFILE_MAX);
	if (r < 0)
		return err_set(e, -r, "cannot read the key file '%.150s': %s", path, err_str(r));
	if (k.size < LUKS_KEY_MIN)
		return err_set(e, EINVAL,
			       "the key file '%.100s' has %zu bytes; a key needs %d random ones: "
			       "head -c 64 /dev/urandom >FILE",
			       path, k.size, LUKS_KEY_MIN);
	*ret = k;
	k = (struct keyfile){ 0 };
	return 0;
}

void keyfile_wipe(struct keyfile *k)
{
	if (k->data) {
		explicit_bzero(k->data, ROOM);
		(void)munmap(k->data, ROOM);
	}
	*k = (struct keyfile){ 0 };
}
