import { deepStrictEqual as same, ok, rejects, strictEqual as equal } from "node:assert/strict";
import { type Containerd, containerdImages, importImages } from "./containerd.ts";
import type { NamedImage } from "./image_archive.ts";
import { type ImageLayer, writeLayer } from "./image_layer.ts";
import { ociImage } from "./oci_image.ts";

/** Runs with a stand-in for ctr, and an image of two layers. */
async function withCtr(
  script: (layers: readonly ImageLayer[]) => string,
  use: (world: { folder: string; containerd: Containerd; image: NamedImage; layers: readonly ImageLayer[] }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const layers = await Promise.all(
      ["lower", "own"].map((name) =>
        writeLayer(`${folder}/${name}.tar.gz`, [{ type: "file", path: name, contents: new TextEncoder().encode(name) }])
      ),
    );
    const image = ociImage({ platform: { os: "linux", architecture: "amd64" }, config: { entrypoint: ["/own"] } }, layers);
    await Deno.writeTextFile(`${folder}/ctr`, `#!/bin/sh\necho "$@" >> ${folder}/calls\n${script(layers)}\n`);
    await Deno.chmod(`${folder}/ctr`, 0o755);
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}`, FOLDER: folder };
    const containerd = { socket: "/run/c.sock", signal: new AbortController().signal, env };
    await use({ folder, containerd, layers, image: { image, reference: `kurun.local/own@${image.manifest.digest}` } });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The blobs of the archives that were imported. */
async function imported(folder: string, which: number): Promise<string[]> {
  const { stdout } = await new Deno.Command("tar", { args: ["-tf", `${folder}/import.${which}`] }).output();
  return [...new TextDecoder().decode(stdout).matchAll(/^blobs\/sha256\/(\w+)$/gm)].map(([, digest]) => `sha256:${digest}`);
}

/** Knows the lower layer, and keeps what it is given. */
const KEEPING = ([lower]: readonly ImageLayer[]) =>
  `case "$5 $6" in
  "content ls") echo ${lower?.digest} ;;
  "images import") n=$(ls "$FOLDER" | grep -c import); cat > "$FOLDER/import.$n"; test ! -e "$FOLDER/fails.$n" || { echo "content digest: not found" >&2; exit 1; } ;;
esac`;

Deno.test("layers that containerd has are not imported again", () =>
  withCtr(KEEPING, async ({ folder, containerd, image, layers }) => {
    let sent = 0;
    await importImages([image], containerd, (bytes) => sent = bytes);
    const blobs = await imported(folder, 0);
    ok(!blobs.includes(layers[0]?.digest ?? ""));
    same(blobs.sort(), [layers[1]?.digest, image.image.config.digest, image.image.manifest.digest].sort());
    equal(sent, layers[1]?.bytes);
    const call = "--address /run/c.sock --namespace k8s.io";
    equal(await Deno.readTextFile(`${folder}/calls`), `${call} content ls -q\n${call} images import -\n`);
  }));

Deno.test("a layer that was removed after it was listed is imported after all, and a failure then is reported", () =>
  withCtr(KEEPING, async ({ folder, containerd, image }) => {
    await Deno.writeTextFile(`${folder}/fails.0`, "");
    await importImages([image], containerd, () => {});
    equal((await imported(folder, 0)).length, 3);
    equal((await imported(folder, 1)).length, 4);
    await Deno.writeTextFile(`${folder}/fails.2`, "");
    await Deno.writeTextFile(`${folder}/fails.3`, "");
    await rejects(
      importImages([image], containerd, () => {}),
      /containerd \(\/run\/c\.sock\): ctr images import failed with exit code 1: content digest: not found/,
    );
  }));

Deno.test("containerd is asked for all names at once, and a socket without access is reported with what to do", async () => {
  await withCtr(() => "echo a@x", async ({ folder, containerd }) => {
    same([...await containerdImages(["a@x", "b@y"], containerd)], ["a@x"]);
    equal(await Deno.readTextFile(`${folder}/calls`), "--address /run/c.sock --namespace k8s.io images ls -q name==a@x name==b@y\n");
  });
  await withCtr(() => 'echo "dial unix: permission denied" >&2; exit 1', async ({ containerd }) => {
    await rejects(containerdImages(["a@x"], containerd), /permission denied\nThe socket belongs to root: run kurun as root/);
    await rejects(containerdImages(["a@x"], { ...containerd, env: { PATH: "/nowhere" } }), /ctr was not found in PATH/);
  });
});
