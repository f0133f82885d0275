/* SPDX-License-Identifier: MIT */
/*
 * vfs_map.h - owners that are others on the mount than in the tree behind.
 *
 * Attributes leave through vfs_map_out(). On the way in, vfs_mapped_fs stands before vfs_fs: it maps
 * the caller and what a request says of owners, and access lists in both directions. What has no
 * partner has no owner on the way out, as from the kernel's own mapped mounts: it is shown as 65534's, who has no right to it,
 * nor has root. In access lists it is 65534 itself. On the way in it is EOVERFLOW.
 */
#ifndef VFS_MAP_H
#define VFS_MAP_H

#include "idmap.h"
#include "vfs.h"

#define VFS_NOBODY 65534      /* as whom the server acts, and in access lists */
#define VFS_NO_ID  UINT32_MAX /* an owner that no user namespace knows */

/* As a tree has it, to as the mount shows it; VFS_NO_ID. @m: inside is the mount, outside the tree; NULL: the same. */
uint32_t vfs_map_out(const struct proc_idmap *m, uint32_t id);
/* And back. -EOVERFLOW: it has no partner. */
int vfs_map_in(const struct proc_idmap *m, uint32_t id, uint32_t *ret) _must_check_;

/* The functions for a struct vfs whose conf has maps; for others they are vfs_fs's. */
extern const struct fuse_fs vfs_mapped_fs;
const struct fuse_fs *vfs_functions(const struct vfs *v);

/* One range "MOUNT:TREE:COUNT" more, of a map that is made if *@map is NULL. -EINVAL and a sentence. */
int vfs_map_add(struct proc_idmap **map, const char *text, struct err *e) _must_check_;

#endif
