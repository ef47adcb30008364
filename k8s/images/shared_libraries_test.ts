import { deepStrictEqual as same, match, ok, rejects } from "node:assert/strict";
import { type FakeElf, fakeElf } from "../../tests/fake_elf.ts";
import { findSharedLibraries } from "./shared_libraries.ts";

/** Makes a folder with ELF files, and removes it. */
async function inFolder(files: Record<string, FakeElf>, use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    for (const [name, elf] of Object.entries(files)) await Deno.writeFile(`${folder}/${name}`, fakeElf(elf));
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("findSharedLibraries() finds indirect libraries too, each once, sorted by name", async () => {
  const files = {
    program: { interpreter: "/lib64/ld-kurun.so.2", needed: ["libkurun-b.so", "libkurun-a.so"] },
    "ld-kurun.so.2": {},
    "libkurun-a.so": { needed: ["libkurun-b.so"] },
    "libkurun-b.so": { needed: ["libkurun-a.so", "libkurun-c.so"] },
    "libkurun-c.so": { needed: ["ld-kurun.so.2"] },
  };
  await inFolder(files, async (folder) => {
    const found = await findSharedLibraries(`${folder}/program`, "amd64", [folder]);
    same(found.filter(({ name }) => /kurun/.test(name)), [
      { name: "ld-kurun.so.2", path: `${folder}/ld-kurun.so.2` },
      ...["a", "b", "c"].map((letter) => ({ name: `libkurun-${letter}.so`, path: `${folder}/libkurun-${letter}.so` })),
    ]);
  });
});

Deno.test("findSharedLibraries() follows links", async () => {
  await inFolder({ program: { needed: ["libkurun.so.6"] }, "libkurun-2.36.so": {} }, async (folder) => {
    await Deno.symlink("libkurun-2.36.so", `${folder}/libkurun.so.6`);
    const found = await findSharedLibraries(`${folder}/program`, "amd64", [folder]);
    ok(found.some(({ name, path }) => name === "libkurun.so.6" && path === `${folder}/libkurun-2.36.so`));
  });
});

Deno.test("findSharedLibraries() skips another architecture's library and a linker script", async () => {
  await inFolder({ program: { needed: ["libkurun.so"] }, "libkurun.so": {} }, async (good) => {
    await inFolder({ "libkurun.so": { machine: 183 } }, async (other) => {
      const script = await Deno.makeTempDir();
      await Deno.writeTextFile(`${script}/libkurun.so`, "/* GNU ld script */ GROUP ( libkurun.so.6 )\n".repeat(3));
      const found = await findSharedLibraries(`${good}/program`, "amd64", [script, `${good}/program`, other, good]);
      ok(found.some(({ path }) => path === `${good}/libkurun.so`));
      await Deno.remove(script, { recursive: true });
    });
  });
});

Deno.test("findSharedLibraries() names everything that is missing, and what to do", async () => {
  const program = { machine: 183, needed: ["libkurun-z.so", "libkurun-a.so"] };
  await inFolder({ program }, async (folder) => {
    const architecture = Deno.build.arch === "aarch64" ? "amd64" : "arm64";
    await rejects(findSharedLibraries(`${folder}/program`, architecture, [folder]), (error: Error) => {
      match(error.name, /^ImageError$/);
      match(error.message, /^the image needs libkurun-a\.so, libkurun-z\.so for (arm64|amd64) Linux, not found in /);
      ok(error.message.includes(folder));
      ok(error.message.includes(`libc6-${architecture}-cross`));
      return true;
    });
  });
});
