import { deepStrictEqual as same, ok, rejects, strictEqual as equal } from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { type ImageContents, writeImageArchive } from "./image_archive.ts";
import { fileDigest } from "./file_digest.ts";

const text = (value: string) => new TextEncoder().encode(value);
const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const toolbox: ImageContents = {
  reference: "kurun.test/toolbox:1",
  platform: { os: "linux", architecture: "amd64" },
  config: {
    entrypoint: ["/bin/tool"],
    cmd: ["--help"],
    env: { PATH: "/bin", A: "b=c" },
    user: "65532:65532",
    workingDir: "/tmp",
    labels: { "org.example": "yes" },
  },
  layers: [
    [{ type: "directory", path: "bin" }, { type: "file", path: "bin/tool", mode: 0o755, contents: text("#!/bin/sh\n") }],
    [{ type: "directory", path: "tmp", mode: 0o1777 }],
  ],
};

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The files of an archive, read by the system's tar. */
async function filesOf(archive: string, folder: string): Promise<Map<string, Uint8Array>> {
  const { success } = await new Deno.Command("tar", { args: ["-xf", archive, "-C", folder] }).output();
  ok(success);
  const files = new Map<string, Uint8Array>();
  for (const name of ["index.json", "manifest.json", "oci-layout"]) files.set(name, await Deno.readFile(`${folder}/${name}`));
  for await (const { name } of Deno.readDir(`${folder}/blobs/sha256`)) {
    files.set(`sha256:${name}`, await Deno.readFile(`${folder}/blobs/sha256/${name}`));
  }
  return files;
}

Deno.test("writeImageArchive() writes an OCI layout in which every digest and size is right", async () => {
  await inFolder(async (folder) => {
    const made = await writeImageArchive(`${folder}/image.tar`, toolbox);
    equal(made.bytes, (await Deno.stat(made.path)).size);
    const files = await filesOf(made.path, folder);
    const parse = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name)));
    for (const [name, contents] of files) if (name.startsWith("sha256:")) equal(name, sha256(contents));

    same(parse("oci-layout"), { imageLayoutVersion: "1.0.0" });
    const [descriptor] = parse("index.json").manifests;
    equal(descriptor.digest, made.digest);
    equal(descriptor.size, files.get(made.digest)?.length);
    same(descriptor.annotations, {
      "io.containerd.image.name": "kurun.test/toolbox:1",
      "org.opencontainers.image.ref.name": "1",
    });
    const manifest = parse(made.digest);
    const config = parse(manifest.config.digest);
    equal(manifest.config.size, files.get(manifest.config.digest)?.length);
    equal(manifest.layers.length, 2);
    for (const [index, layer] of manifest.layers.entries()) {
      const blob = files.get(layer.digest) ?? new Uint8Array();
      equal(layer.size, blob.length);
      equal(config.rootfs.diff_ids[index], sha256(gunzipSync(blob)));
    }
    same(config.config, {
      Entrypoint: ["/bin/tool"],
      Cmd: ["--help"],
      Env: ["PATH=/bin", "A=b=c"],
      User: "65532:65532",
      WorkingDir: "/tmp",
      Labels: { "org.example": "yes" },
    });
    equal(config.os, "linux");
    equal(config.architecture, "amd64");
    equal(config.created, "1970-01-01T00:00:00.000Z");

    const [docker] = parse("manifest.json");
    same(docker.RepoTags, ["kurun.test/toolbox:1"]);
    for (const path of [docker.Config, ...docker.Layers]) ok(files.has(path.replace("blobs/sha256/", "sha256:")), path);
  });
});

Deno.test("writeImageArchive() writes the same bytes for the same contents", async () => {
  await inFolder(async (folder) => {
    const first = await writeImageArchive(`${folder}/first.tar`, toolbox);
    const second = await writeImageArchive(`${folder}/second.tar`, toolbox);
    equal(first.digest, second.digest);
    equal(await fileDigest(first.path), await fileDigest(second.path));
  });
});

Deno.test("writeImageArchive() stores layers with the same bytes once", async () => {
  await inFolder(async (folder) => {
    const layer = [{ type: "directory", path: "a" } as const];
    const { path } = await writeImageArchive(`${folder}/image.tar`, { ...toolbox, layers: [layer, layer] });
    equal((await filesOf(path, folder)).size, 3 + 3);
  });
});

Deno.test("writeImageArchive() writes short names in full for containerd", async () => {
  await inFolder(async (folder) => {
    const names = [
      ["app:1", "docker.io/library/app:1"],
      ["team/app:1", "docker.io/team/app:1"],
      ["localhost/app:1", "localhost/app:1"],
      ["localhost:5000/app:1", "localhost:5000/app:1"],
      ["example.com/team/app:v1.2", "example.com/team/app:v1.2"],
    ] as const;
    for (const [reference, full] of names) {
      const { path } = await writeImageArchive(`${folder}/image.tar`, { ...toolbox, reference });
      const index = JSON.parse(new TextDecoder().decode((await filesOf(path, folder)).get("index.json")));
      equal(index.manifests[0].annotations["io.containerd.image.name"], full);
    }
  });
});

Deno.test("writeImageArchive() leaves no file when it fails", async () => {
  await inFolder(async (folder) => {
    for (const reference of ["app", "example.com:5000/app", "app@sha256:00", "a b:1"]) {
      await rejects(writeImageArchive(`${folder}/image.tar`, { ...toolbox, reference }), TypeError, reference);
    }
    const missing = [{ type: "file", path: "a", contents: { copyOf: `${folder}/missing` } } as const];
    await rejects(writeImageArchive(`${folder}/image.tar`, { ...toolbox, layers: [missing] }), Deno.errors.NotFound);
    const signal = AbortSignal.abort();
    await rejects(writeImageArchive(`${folder}/image.tar`, toolbox, { signal }), { name: "AbortError" });
    same(await Array.fromAsync(Deno.readDir(folder)), []);
  });
});
