import { match, ok, rejects, strictEqual as equal } from "node:assert/strict";
import { fakeElf } from "../../tests/fake_elf.ts";
import { IMAGE_DENO_VERSION, imageDeno, type ImageDenoOptions } from "./image_deno.ts";

async function inFolder(use: (folder: string, options: ImageDenoOptions) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder, { cacheFolder: folder, progress: () => {} });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "imageDeno() takes the Deno that runs this where it is the very one",
  ignore: Deno.version.deno !== IMAGE_DENO_VERSION || Deno.build.target !== "x86_64-unknown-linux-gnu",
  fn: async () => await inFolder(async (_folder, options) => equal(await imageDeno("amd64", options), Deno.execPath())),
});

Deno.test("imageDeno() takes the executable that it is told to, if it is one for the image", async () => {
  await inFolder(async (folder, options) => {
    const executable = `${folder}/mine`;
    await Deno.writeFile(executable, fakeElf({ machine: 183, interpreter: "/lib/ld-linux-aarch64.so.1" }));
    equal(await imageDeno("arm64", { ...options, executable }), executable);
    await rejects(imageDeno("amd64", { ...options, executable }), { name: "ImageDenoError", message: /no Deno for amd64 Linux/ });
  });
});

Deno.test("imageDeno() takes what it fetched before, and says so when it fetches", async () => {
  await inFolder(async (folder, options) => {
    // arm64 has no digest to hold the file against, so anything serves.
    const kept = `${folder}/deno-${IMAGE_DENO_VERSION}-arm64`;
    await Deno.writeFile(kept, fakeElf({ machine: 183 }));
    equal(await imageDeno("arm64", { ...options, progress: (line) => ok(false, line) }), kept);
  });
});

Deno.test("imageDeno() can be stopped while it fetches", async () => {
  await inFolder(async (_folder, options) => {
    const said: string[] = [];
    const signal = AbortSignal.abort();
    await rejects(imageDeno("arm64", { ...options, signal, progress: (line) => said.push(line) }), { name: "AbortError" });
    match(said.join(), /^fetching Deno 2\.9\.6 for arm64 from npm$/);
  });
});
