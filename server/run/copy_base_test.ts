import assert from "node:assert/strict";
import { libraries } from "./copy_base.ts";

function map(path: string): string {
  return `7f10a0000000-7f10a0200000 r-xp 00026000 00:1f 1234    ${path}\n`;
}

Deno.test("libraries() finds what a process has loaded by the names that programs use, and what it may load later", async () => {
  const root = await Deno.realPath(await Deno.makeTempDir());
  await Deno.mkdir(`${root}/lib`);
  for (const name of ["libc-2.31.so", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "libnss_files.so.2", "libunrelated.so.1"]) {
    await Deno.writeTextFile(`${root}/lib/${name}`, name);
  }
  await Deno.symlink("libc-2.31.so", `${root}/lib/libc.so.6`);
  await Deno.symlink("missing", `${root}/lib/libbroken.so`);
  const loaded = ["lib/libc-2.31.so", "lib/libc-2.31.so", "lib/libgcc_s.so.1", "lib/ld-linux-x86-64.so.2", "bin/deno"];
  const found = await libraries(
    `${loaded.map((path) => map(`${root}/${path}`)).join("")}7ffc1000-7ffc2000 r-xp 00000000 00:00 0    [vdso]\n`,
  );
  assert.deepEqual(
    [...found].map(([name, path]) => `${name} ${path.slice(root.length + 1)}`).sort(),
    [
      "ld-linux-x86-64.so.2 lib/ld-linux-x86-64.so.2",
      "libc-2.31.so lib/libc-2.31.so",
      "libc.so.6 lib/libc-2.31.so",
      "libgcc_s.so.1 lib/libgcc_s.so.1",
      "libnss_files.so.2 lib/libnss_files.so.2",
    ],
  );
  await Deno.remove(root, { recursive: true });
});

Deno.test({
  name: "libraries() of this Deno are enough to start it by its own dynamic loader",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    let loader = "";
    for (const [name, path] of await libraries(await Deno.readTextFile("/proc/self/maps"))) {
      await Deno.copyFile(path, `${folder}/${name}`);
      if (name.startsWith("ld-linux")) loader = `${folder}/${name}`;
    }
    const { success, stdout } = await new Deno.Command(loader, {
      args: [
        "--inhibit-cache",
        "--library-path",
        folder,
        Deno.execPath(),
        "eval",
        "console.log(await Deno.readTextFile('/proc/self/maps'))",
      ],
    }).output();
    assert.ok(success);
    const used = new TextDecoder().decode(stdout).match(/\/\S*\.so(\.\d+)*$/gm) ?? [];
    assert.ok(used.length > 0);
    assert.deepEqual([...new Set(used)].filter((path) => !path.startsWith(`${folder}/`)), []);
    await Deno.remove(folder, { recursive: true });
  },
});
