import { match, ok, rejects, strictEqual as equal } from "node:assert/strict";
import { fakeElf } from "../../tests/fake_elf.ts";
import { checkImageDeno, IMAGE_DENO_VERSION, imageDeno, type ImageDenoOptions } from "./image_deno.ts";

async function inFolder(use: (folder: string, options: ImageDenoOptions) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder, { cacheFolder: folder, progress: () => {} });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "imageDeno() uses the Deno that runs kurun if it has the known digest",
  ignore: Deno.version.deno !== IMAGE_DENO_VERSION || Deno.build.target !== "x86_64-unknown-linux-gnu",
  fn: async () => await inFolder(async (_folder, options) => equal(await imageDeno("amd64", options), Deno.execPath())),
});

Deno.test("checkImageDeno() refuses a Deno that would not start in the image", async () => {
  await inFolder(async (folder) => {
    const executable = `${folder}/mine`;
    await Deno.writeFile(executable, fakeElf({ machine: 183, interpreter: "/lib/ld-linux-aarch64.so.1" }));
    await checkImageDeno(executable, "arm64");
    await rejects(checkImageDeno(executable, "amd64"), { name: "ImageError", message: /not a Deno for amd64 Linux/ });
    await Deno.writeFile(executable, fakeElf({ interpreter: "/nix/store/x-glibc/lib/ld-linux-x86-64.so.2" }));
    await rejects(checkImageDeno(executable, "amd64"), { name: "ImageError", message: /its loader is \/nix/ });
  });
});

/** An architecture for which npm must be asked here: this machine's own Deno serves its own. */
const OTHER = Deno.build.arch === "aarch64" ? "amd64" : "arm64";

Deno.test("a missing npm, one that fails, and a package of something else are reported with what to do", async () => {
  const npm = (script: string) => async (folder: string) => {
    await Deno.writeTextFile(`${folder}/npm`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return `${folder}:/usr/bin:/bin`;
  };
  const cases: [(folder: string) => Promise<string>, RegExp][] = [
    [(folder) => Promise.resolve(folder), /^cannot fetch Deno for the image \(@deno\S+\): npm was not found in PATH\nInstall Node\.js/],
    [
      npm('echo "npm error code E404" >&2; echo "npm error A complete log of this run can be found in: x" >&2; exit 7'),
      /npm failed with exit code 7: npm error code E404\nCheck the network/,
    ],
    [npm("exit 0"), /tar failed with exit code 2: .*\nCheck the network/],
  ];
  for (const [makePath, message] of cases) {
    await inFolder(async (folder, options) => {
      const env = { PATH: await makePath(folder) };
      await rejects(imageDeno(OTHER, { ...options, env }), (error: Error) => {
        match(error.message, message);
        ok(error.name === "ImageError" && error.message.split("\n").length <= 3);
        return true;
      });
    });
  }
});

Deno.test("imageDeno() uses the Deno in the cache", async () => {
  await inFolder(async (folder, options) => {
    // The digest of arm64's Deno is unknown, so any file will do.
    const kept = `${folder}/deno-${IMAGE_DENO_VERSION}-arm64`;
    await Deno.writeFile(kept, fakeElf({ machine: 183 }));
    equal(await imageDeno("arm64", { ...options, progress: (line) => ok(false, line) }), kept);
  });
});

Deno.test("imageDeno() stops at an abort while it fetches, which it has announced", async () => {
  await inFolder(async (_folder, options) => {
    const said: string[] = [];
    const signal = AbortSignal.abort();
    await rejects(imageDeno("arm64", { ...options, signal, progress: (line) => said.push(line) }), { name: "AbortError" });
    match(said.join(), /^fetching Deno 2\.9\.6 for arm64 from npm$/);
  });
});
