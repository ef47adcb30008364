import { ok, strictEqual as equal } from "node:assert/strict";
import { systemEntries } from "./deno_layer.ts";
import { fileDigest } from "./file_digest.ts";
import { writeLayer } from "./image_layer.ts";
import { makeServerImage, type ServerImageOptions } from "./server_image.ts";
import { isServerImage, serverImageReference } from "./server_image_name.ts";

const interpreter = "/lib64/ld-linux-x86-64.so.2";

/** Options for an image that takes a moment: a Deno of 4 bytes with libraries like it. */
async function inFolder(use: (folder: string, options: ServerImageOptions) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/deno`, "deno");
    const libraries = ["ld-linux-x86-64.so.2", "libc.so.6"].map((name) => ({ name, path: `${folder}/${name}` }));
    for (const { path } of libraries) await Deno.writeTextFile(path, "library");
    await use(folder, {
      version: "1.2.3",
      architecture: "amd64",
      system: await writeLayer(`${folder}/system.tar.gz`, systemEntries(`${folder}/deno`, libraries)),
      serverJs: new TextEncoder().encode("// server\n"),
      output: `${folder}/image.tar`,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function unpack(archive: string, into: string): Promise<void> {
  await Deno.mkdir(into, { recursive: true });
  const { success, stderr } = await new Deno.Command("tar", { args: ["-xf", archive, "-C", into] }).output();
  ok(success, new TextDecoder().decode(stderr));
}

Deno.test("makeServerImage() makes an image that starts the server without root and with few permissions", async () => {
  await inFolder(async (folder, options) => {
    const image = await makeServerImage(options);
    await unpack(image.path, `${folder}/image`);
    const [docker] = JSON.parse(await Deno.readTextFile(`${folder}/image/manifest.json`));
    const { config, architecture } = JSON.parse(await Deno.readTextFile(`${folder}/image/${docker.Config}`));
    equal(architecture, "amd64");
    equal(docker.RepoTags[0], "ghcr.io/kurun-dev/server:1.2.3");
    equal(config.User, "65532:65532");
    equal(config.Entrypoint.join(), "/usr/bin/deno");
    equal(config.Cmd[0], "run");
    equal(config.Cmd.at(-1), "/kurun/server.js");
    ok(config.Cmd.includes("--no-prompt"));
    for (const right of ["-A", "--allow-all", "--allow-run", "--allow-write"]) ok(!config.Cmd.includes(right), right);

    equal(docker.Layers.length, 2);
    for (const layer of docker.Layers) await unpack(`${folder}/image/${layer}`, `${folder}/root`);
    equal(await Deno.readTextFile(`${folder}/root/kurun/server.js`), "// server\n");
    equal(await Deno.readTextFile(`${folder}/root/usr/bin/deno`), await Deno.readTextFile(`${folder}/deno`));
    // The paths where the loaders of Debian, Fedora and Arch look, and the loader's own.
    for (const path of ["lib/x86_64-linux-gnu/libc.so.6", "lib64/libc.so.6", "usr/lib/libc.so.6", interpreter.slice(1)]) {
      ok((await Deno.stat(`${folder}/root/${path}`)).isFile, path);
    }
  });
});

Deno.test("makeServerImage() gives the same archive for the same server, and changes only the upper layer with it", async () => {
  await inFolder(async (folder, options) => {
    const first = await makeServerImage(options);
    const second = await makeServerImage({ ...options, output: `${folder}/second.tar` });
    equal(await fileDigest(first.path), await fileDigest(second.path));
    const changed = await makeServerImage({ ...options, serverJs: new TextEncoder().encode("// other\n"), output: `${folder}/other.tar` });
    ok(changed.digest !== first.digest);
    const layers = async (archive: string, into: string) => {
      await unpack(archive, `${folder}/${into}`);
      return JSON.parse(await Deno.readTextFile(`${folder}/${into}/manifest.json`))[0].Layers as string[];
    };
    const [one, other] = [await layers(first.path, "one"), await layers(changed.path, "two")];
    equal(one[0], other[0]);
    ok(one[1] !== other[1]);
  });
});

Deno.test("isServerImage() recognizes the server's image of this version in any registry, and nothing else", () => {
  const name = serverImageReference("1.2.3");
  const digest = `@sha256:${"0".repeat(64)}`;
  for (
    const image of [
      name,
      name + digest,
      "localhost:5000/kurun-dev/server:1.2.3",
      "r.test/mirror/kurun-dev/server:1.2.3",
      "kurun-dev/server:1.2.3",
    ]
  ) {
    ok(isServerImage(image, "1.2.3"), image);
  }
  const others = [
    serverImageReference("1.2.4"),
    "ghcr.io/kurun-dev/server",
    `ghcr.io/kurun-dev/server${digest}`,
    "r.test/not-kurun-dev/server:1.2.3",
    "r.test/kurun-dev/server:1.2.3-debug",
    "r.test/tools/kurun:1.2.3",
    "docker.io/denoland/deno:distroless-2.9.6",
  ];
  for (const image of others) ok(!isServerImage(image, "1.2.3"), image);
});
