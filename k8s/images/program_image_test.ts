import { deepStrictEqual as same, notStrictEqual as differs, ok, strictEqual as equal } from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import type { ImageLayer } from "./image_layer.ts";
import { programImage, type ProgramImageOptions, scriptConfig } from "./program_image.ts";

/** Where tar is GNU's: others list archives differently. */
const linux = { ignore: Deno.build.os !== "linux" };

/** Makes an image in folders of its own, as another machine would. */
async function made<T>(
  contents: string,
  use: (image: Awaited<ReturnType<typeof programImage>>) => Promise<T>,
  more: Partial<ProgramImageOptions> = {},
) {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/built`, contents);
    // Neither when a file was written nor who may read it is the source's.
    await Deno.utime(`${folder}/built`, new Date(), new Date(Math.random() * 1e12));
    await Deno.chmod(`${folder}/built`, 0o700);
    const image = await programImage({
      kind: "executable",
      path: `${folder}/built`,
      name: "api",
      architecture: "amd64",
      denoFolder: `${folder}/deno`,
      staticFolder: `${folder}/static`,
      layerPath: `${folder}/layers/own.tar.gz`,
      progress: () => {},
      signal: new AbortController().signal,
      ...more,
    });
    return await use(image);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What the system's tar lists of a layer: mode, owner, time, path. */
async function listed(layer: ImageLayer): Promise<string[]> {
  const args = ["--utc", "--full-time", "--numeric-owner", "-tvzf", layer.path];
  const { stdout, success } = await new Deno.Command("tar", { args, env: { TZ: "UTC" } }).output();
  ok(success);
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.replace(/ +/g, " "));
}

Deno.test("the same program gives the same image at any place and time, and another program another image", async () => {
  const digest = (contents: string, more: Partial<ProgramImageOptions> = {}) =>
    made(contents, (image) => Promise.resolve(image.manifest.digest), more);
  const first = await digest("program");
  equal(await digest("program"), first);
  differs(await digest("other"), first);
  differs(await digest("program", { architecture: "arm64" }), first);
});

Deno.test(
  "a static program's image has users, certificates and a folder for files, and runs the program without root",
  linux,
  () =>
    made("program", async ({ config, layers }) => {
      const { config: start, rootfs, architecture, created } = JSON.parse(new TextDecoder().decode(config.contents));
      same(start, { Entrypoint: ["/app/api"], Env: ["PATH=/app"], User: "65532:65532", WorkingDir: "/" });
      same([architecture, created], ["amd64", "1970-01-01T00:00:00.000Z"]);
      const [lower, own] = layers as [ImageLayer, ImageLayer];
      same(rootfs.diff_ids, [lower.diffId, own.diffId]);
      same(await listed(own), ["drwxr-xr-x 0/0 0 1970-01-01 00:00:00 app/", "-rwxr-xr-x 0/0 7 1970-01-01 00:00:00 app/api"]);
      const entries = await listed(lower);
      ok(entries.includes("drwxrwxrwt 0/0 0 1970-01-01 00:00:00 tmp/"), entries.join("\n"));
      const files = new TextDecoder().decode(gunzipSync(await Deno.readFile(lower.path)));
      ok(files.includes("nonroot:x:65532:65532:"));
      ok((files.match(/BEGIN CERTIFICATE/g) ?? []).length > 100);
      ok(entries.some((line) => line.endsWith(" etc/ssl/certs/ca-certificates.crt")));
      ok(entries.some((line) => line.endsWith(" etc/nsswitch.conf")));
    }),
);

Deno.test("a script's image starts it with its unstable features", () => {
  same(scriptConfig("/app/main.js", ["kv"]).entrypoint?.slice(-3), ["--quiet", "--unstable-kv", "/app/main.js"]);
});
