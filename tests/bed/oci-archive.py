#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""oci-archive.py TREE TAG OUT.tar - a tree as an image archive of one layer.

The archive is an OCI image layout (image-spec 1.0) that also has the manifest.json of
"docker save", so both families of readers take it.
"""
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob_path(digest):
    return "blobs/" + digest.replace(":", "/")


def main(tree, tag, out):
    layer = subprocess.run(["tar", "-C", tree, "--numeric-owner", "--sort=name", "-c", "."],
                           check=True, stdout=subprocess.PIPE).stdout
    packed = gzip.compress(layer, 1, mtime=0)
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Cmd": ["/app"], "Env": ["PATH=/only/here", "BED_MARK=of-the-container"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]},
    }).encode()
    oci = "application/vnd.oci.image."

    def descriptor(kind, data, **more):
        return {"mediaType": oci + kind, "digest": sha256(data), "size": len(data), **more}

    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": oci + "manifest.v1+json",
        "config": descriptor("config.v1+json", config),
        "layers": [descriptor("layer.v1.tar+gzip", packed)],
    }).encode()
    index = {"schemaVersion": 2, "manifests": [descriptor("manifest.v1+json", manifest, annotations={
        "org.opencontainers.image.ref.name": tag.split(":")[-1], "io.containerd.image.name": tag})]}
    files = {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(index).encode(),
        "manifest.json": json.dumps([{"Config": blob_path(sha256(config)), "RepoTags": [tag],
                                      "Layers": [blob_path(sha256(packed))]}]).encode(),
    }
    for data in (config, packed, manifest):
        files[blob_path(sha256(data))] = data
    with tarfile.open(out, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
