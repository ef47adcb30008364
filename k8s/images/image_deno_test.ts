import { match, ok, rejects, strictEqual as equal } from "node:assert/strict";
import { IMAGE_DENO_VERSION, imageDeno, type ImageDenoOptions } from "./image_deno.ts";

async function inFolder(use: (folder: string, options: ImageDenoOptions) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder, { cacheFolder: folder, progress: () => {} });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const KNOWN = {
  ignore: Deno.version.deno !== IMAGE_DENO_VERSION || Deno.build.target !== "x86_64-unknown-linux-gnu",
};

Deno.test("imageDeno() uses the Deno that runs kurun if it has the known digest", KNOWN, async () => {
  await inFolder(async (_folder, options) => equal(await imageDeno("amd64", options), Deno.execPath()));
});

Deno.test("imageDeno() uses the Deno in the cache, but not a damaged one", KNOWN, async () => {
  await inFolder(async (folder, options) => {
    const kept = `${folder}/deno-${IMAGE_DENO_VERSION}-amd64`;
    await Deno.symlink(Deno.execPath(), kept);
    equal(await imageDeno("amd64", options), kept);
    await Deno.remove(kept);
    await Deno.writeTextFile(kept, "damaged");
    equal(await imageDeno("amd64", options), Deno.execPath());
  });
});

/** An architecture for which npm must be asked here: this machine's own Deno serves its own. */
const OTHER = Deno.build.arch === "aarch64" ? "amd64" : "arm64";
const PACKED = `deno-linux-${OTHER === "amd64" ? "x64" : "arm64"}-glibc-${IMAGE_DENO_VERSION}.tgz`;
/** Where a shell script can stand for npm. */
const posix = { ignore: Deno.build.os === "windows" };

Deno.test("a missing npm, one that fails, and a package of something else are reported with what to do", posix, async () => {
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
    [npm("exit 0"), /tar failed with exit code [12]: .*\nCheck the network/],
    [
      npm(`cd "$4" && mkdir package && echo other > package/deno && tar -czf ${PACKED} package`),
      /^the executable in @deno\S+ from npm has the digest sha256:\w+, but kurun expects sha256:\w+$/,
    ],
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

Deno.test("imageDeno() stops at an abort while it fetches, which it has announced", async () => {
  await inFolder(async (_folder, options) => {
    const said: string[] = [];
    const signal = AbortSignal.abort();
    await rejects(imageDeno(OTHER, { ...options, signal, progress: (line) => said.push(line) }), { name: "AbortError" });
    equal(said.join(), `Fetching Deno ${IMAGE_DENO_VERSION} for ${OTHER} from npm`);
  });
});
