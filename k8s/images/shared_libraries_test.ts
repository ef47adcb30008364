import { deepStrictEqual as same, match, ok, rejects } from "node:assert/strict";
import { IMAGE_DENO_VERSION } from "./image_deno.ts";
import { type Architecture, findSharedLibraries } from "./shared_libraries.ts";
import { elfHeader } from "../../tests/elf_header.ts";

const NAMES = ["ld-linux-x86-64.so.2", "libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "librt.so.1"];

/** Makes a folder with the libraries of amd64's Deno, except those that `files` replace, and removes it. */
async function inFolder(files: Record<string, Uint8Array | undefined>, use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    const all = { ...Object.fromEntries(NAMES.map((name) => [name, elfHeader("amd64")])), ...files };
    for (const [name, bytes] of Object.entries(all)) if (bytes) await Deno.writeFile(`${folder}/${name}`, bytes);
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "findSharedLibraries() finds what the dynamic loader says that the image's Deno needs",
  ignore: Deno.version.deno !== IMAGE_DENO_VERSION || Deno.build.os !== "linux",
  fn: async () => {
    const env = { LD_TRACE_LOADED_OBJECTS: "1" };
    const { stdout } = await new Deno.Command(Deno.execPath(), { env }).output();
    const traced = [...new TextDecoder().decode(stdout).matchAll(/^\s*(?:\S*\/)?(l(?:d|ib)[\w.-]+\.so[\d.]*)\s/gm)].map(([, name]) => name);
    const architecture: Architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
    const found = (await findSharedLibraries(architecture)).map(({ name }) => name).filter((name) => !/libnss_|libresolv/.test(name));
    same(found, traced.sort());
  },
});

Deno.test("findSharedLibraries() sorts by name, and adds what is loaded later if it is there", async () => {
  await inFolder({ "libresolv.so.2": elfHeader("amd64") }, async (folder) => {
    const expected = [...NAMES, "libresolv.so.2"].sort().map((name) => ({ name, path: `${folder}/${name}` }));
    same(await findSharedLibraries("amd64", [folder]), expected);
  });
});

Deno.test("findSharedLibraries() follows links", async () => {
  await inFolder({ "libc.so.6": undefined, "libc-2.36.so": elfHeader("amd64") }, async (folder) => {
    await Deno.symlink("libc-2.36.so", `${folder}/libc.so.6`);
    const found = await findSharedLibraries("amd64", [folder]);
    ok(found.some(({ name, path }) => name === "libc.so.6" && path === `${folder}/libc-2.36.so`));
  });
});

Deno.test("findSharedLibraries() skips another architecture's library, a linker script and a file that is cut off", async () => {
  const script = new TextEncoder().encode("/* GNU ld script */ GROUP ( libc.so.6 )\n".repeat(3));
  const wrong = { "libc.so.6": elfHeader("arm64"), "libm.so.6": script, "libdl.so.2": elfHeader("amd64").slice(0, 18) };
  await inFolder(wrong, async (other) => {
    await inFolder({}, async (good) => {
      const found = await findSharedLibraries("amd64", [`${good}/libc.so.6`, "/nowhere", other, good]);
      for (const { name, path } of found) ok(path === `${name in wrong ? good : other}/${name}`, path);
    });
  });
});

Deno.test("findSharedLibraries() names everything that is missing, and what to do", async () => {
  await inFolder({ "libm.so.6": undefined, "libc.so.6": undefined }, async (folder) => {
    await rejects(findSharedLibraries("amd64", [folder]), {
      message: /^the image needs libc\.so\.6, libm\.so\.6 for amd64 Linux, which were not found in /,
    });
    const other = Deno.build.arch === "aarch64" ? "amd64" : "arm64";
    await rejects(findSharedLibraries(other, [`${folder}/libc.so.6`]), (error: Error) => {
      match(error.name, /^ImageError$/);
      ok(error.message.includes(folder));
      ok(error.message.includes(`libc6-${other}-cross`));
      return true;
    });
  });
});
