import { deepStrictEqual as same, ok, rejects } from "node:assert/strict";
import { type FakeElf, fakeElf } from "../../tests/fake_elf.ts";
import { readElf } from "./elf.ts";

async function reads(bytes: Uint8Array): ReturnType<typeof readElf> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, bytes);
    return await readElf(path);
  } finally {
    await Deno.remove(path);
  }
}

const program: FakeElf = { interpreter: "/lib64/ld-linux-x86-64.so.2", needed: ["libm.so.6", "libc.so.6"] };

Deno.test("readElf() reads a program's architecture, loader and libraries", async () => {
  same(await reads(fakeElf(program)), { architecture: "amd64", ...program });
  same((await reads(fakeElf({ ...program, machine: 183 }))).architecture, "arm64");
  same((await reads(fakeElf({ ...program, machine: 243 }))).architecture, undefined);
});

Deno.test("readElf() finds no loader in a library, and no libraries in a static program", async () => {
  same(await reads(fakeElf({ needed: ["libc.so.6"] })), { architecture: "amd64", needed: ["libc.so.6"] });
  same(await reads(fakeElf({})), { architecture: "amd64", needed: [] });
});

Deno.test({
  name: "readElf() reads the Deno that runs the tests",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const { architecture, needed } = await readElf(Deno.execPath());
    same(architecture, Deno.build.arch === "x86_64" ? "amd64" : "arm64");
    ok(needed.some((name) => name.startsWith("libc.")));
  },
});

Deno.test("readElf() refuses anything that is not a 64-bit ELF file, truncated at any length", async () => {
  const whole = fakeElf(program);
  for (let length = 0; length < whole.length; length++) {
    await rejects(reads(whole.subarray(0, length)), { name: "ElfError" }, `${length} bytes`);
  }
  await rejects(reads(new TextEncoder().encode("#!/bin/sh\n".repeat(20))), { name: "ElfError", message: /is not an ELF file$/ });
  const narrow = fakeElf(program);
  narrow[4] = 1;
  await rejects(reads(narrow), { name: "ElfError", message: /64-bit/ });
});

Deno.test("readElf() refuses tables of gigabytes", async () => {
  const damaged = fakeElf(program);
  new DataView(damaged.buffer).setBigUint64(64 + 56 + 32, 1n << 40n, true);
  await rejects(reads(damaged), { name: "ElfError", message: /damaged/ });
});
