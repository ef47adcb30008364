import { deepStrictEqual as same, ok, rejects, strictEqual as equal } from "node:assert/strict";
import { fakeElf } from "../../tests/fake_elf.ts";
import { fileDigest } from "./image_layer.ts";
import { makeServerImage, type ServerImageOptions } from "./server_image.ts";

const interpreter = "/lib64/ld-linux-x86-64.so.2";

/** All that it takes to make an image in a moment: a Deno of 500 bytes with libraries like it. */
async function inFolder(use: (folder: string, options: ServerImageOptions) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/deno`, fakeElf({ interpreter, needed: ["libc.so.6"] }));
    await Deno.writeFile(`${folder}/libc.so.6`, fakeElf({ needed: ["ld-linux-x86-64.so.2"] }));
    await Deno.writeFile(`${folder}/ld-linux-x86-64.so.2`, fakeElf({}));
    await use(folder, {
      version: "1.2.3",
      architecture: "amd64",
      serverJs: new TextEncoder().encode("// server\n"),
      output: `${folder}/out/image.tar`,
      cacheFolder: `${folder}/cache`,
      deno: `${folder}/deno`,
      libraryFolders: [folder],
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

Deno.test("makeServerImage() makes an image that starts Deno with the server, as nobody, with few rights", async () => {
  await inFolder(async (folder, options) => {
    const image = await makeServerImage(options);
    equal(image.reference, "ghcr.io/kurun-dev/server:1.2.3");
    await unpack(image.path, `${folder}/image`);
    const [docker] = JSON.parse(await Deno.readTextFile(`${folder}/image/manifest.json`));
    const { config, architecture } = JSON.parse(await Deno.readTextFile(`${folder}/image/${docker.Config}`));
    equal(architecture, "amd64");
    equal(config.User, "65532:65532");
    equal(config.Entrypoint[0], "/usr/bin/deno");
    equal(config.Entrypoint.at(-1), "/kurun/server.js");
    ok(config.Entrypoint.includes("--no-prompt"));
    for (const right of ["-A", "--allow-all", "--allow-run", "--allow-write", "--allow-ffi"]) ok(!config.Entrypoint.includes(right), right);

    equal(docker.Layers.length, 2);
    for (const layer of docker.Layers) await unpack(`${folder}/image/${layer}`, `${folder}/root`);
    equal(await Deno.readTextFile(`${folder}/root/kurun/server.js`), "// server\n");
    equal(await Deno.readTextFile(`${folder}/root/usr/bin/deno`), await Deno.readTextFile(`${folder}/deno`));
    // Paths in which the loaders of Debian, Fedora and Arch look, and the loader's own.
    for (const path of ["lib/x86_64-linux-gnu/libc.so.6", "lib64/libc.so.6", "usr/lib/libc.so.6", interpreter.slice(1)]) {
      ok((await Deno.stat(`${folder}/root/${path}`)).isFile, path);
    }
  });
});

Deno.test("makeServerImage() makes the same archive of the same things, and keeps the lower layer when the server changes", async () => {
  await inFolder(async (folder, options) => {
    const said: string[] = [];
    const progress = (line: string) => said.push(line.split(" ")[0] ?? "");
    const first = await makeServerImage({ ...options, progress });
    const second = await makeServerImage({ ...options, progress, output: `${folder}/second.tar` });
    equal(await fileDigest(first.path), await fileDigest(second.path));
    const changed = await makeServerImage({ ...options, progress, serverJs: new TextEncoder().encode("// other\n") });
    ok(changed.digest !== first.digest);
    same(said, ["packing", "writing", "writing", "writing"]);
  });
});

Deno.test("makeServerImage() refuses a Deno that could not start in the image", async () => {
  await inFolder(async (folder, options) => {
    await Deno.writeFile(`${folder}/nix`, fakeElf({ interpreter: "/nix/store/x-glibc/lib/ld-linux-x86-64.so.2", needed: [] }));
    await rejects(makeServerImage({ ...options, deno: `${folder}/nix` }), { name: "ImageDenoError", message: /its loader is \/nix/ });
    await Deno.writeFile(`${folder}/arm`, fakeElf({ interpreter, machine: 183, needed: [] }));
    await rejects(makeServerImage({ ...options, deno: `${folder}/arm` }), { name: "ImageDenoError", message: /no Deno for amd64/ });
  });
});
