import { deepStrictEqual as same, rejects } from "node:assert/strict";
import { writeLayer } from "../../k8s/images/image_layer.ts";
import { ociImage } from "../../k8s/images/oci_image.ts";
import { loadImages } from "./local_delivery.ts";
import type { SourceImage } from "./source_image.ts";

type Image = Pick<SourceImage, "name" | "image">;

/** Runs with two images and a stand-in for kind and k3d that records its arguments and the archive's index. */
async function withStandIn(
  script: string,
  use: (world: { folder: string; env: Record<string, string>; images: Image[] }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["kind", "k3d"]) {
      await Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\necho "\${0##*/} $@" >> ${folder}/calls\n${script}\n`);
      await Deno.chmod(`${folder}/${name}`, 0o755);
    }
    const images = await Promise.all(["api", "worker"].map(async (name): Promise<Image> => {
      const layer = await writeLayer(`${folder}/${name}.tar.gz`, [{ type: "file", path: name, contents: new Uint8Array(3) }]);
      return {
        name,
        image: ociImage({ platform: { os: "linux", architecture: "amd64" }, config: { entrypoint: ["/x"] } }, [layer]),
      };
    }));
    await use({ folder, env: { PATH: `${folder}:${Deno.env.get("PATH")}` }, images });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const { signal } = new AbortController();
const options = { nodes: [], progress: () => {}, signal };
const [kind, k3d] = [{ is: "kind", cluster: "dev" }, { is: "k3d", cluster: "dev" }] as const;

Deno.test("kind and k3d get one archive of all images, under names made from the images' digests", () =>
  withStandIn(
    'for file in "$@"; do case "$file" in *.tar) tar -xOf "$file" manifest.json > "$0.json" ;; esac; done',
    async ({ folder, env, images }) => {
      const expected = images.map(({ name, image }) => `kurun.local/${name}:${image.manifest.digest.slice(7, 27)}`);
      same(await loadImages(kind, images, { ...options, env }), expected);
      same(await loadImages(k3d, images, { ...options, env }), expected);
      const calls = (await Deno.readTextFile(`${folder}/calls`)).replace(/\S+\/images\.tar/g, "ARCHIVE");
      same(calls, "kind load image-archive ARCHIVE --name dev\nk3d image import ARCHIVE --cluster dev\n");
      for (const name of ["kind", "k3d"]) {
        const names = JSON.parse(await Deno.readTextFile(`${folder}/${name}.json`)).flatMap(({ RepoTags }: { RepoTags: string[] }) =>
          RepoTags
        );
        same(names, expected);
      }
    },
  ));

Deno.test("a kind that fails or is missing is reported with its output", async () => {
  await withStandIn('echo "ERROR: no nodes found for cluster" >&2; exit 1', async ({ env, images }) => {
    await rejects(
      loadImages(kind, images, { ...options, env }),
      /kind's cluster dev: kind load image-archive failed with exit code 1: .*no nodes found/,
    );
    await rejects(loadImages(kind, images, { ...options, env: { PATH: "/nowhere" } }), /kind was not found in PATH/);
  });
});

Deno.test("images that all nodes have are not sent again", () =>
  withStandIn('tar -xOf "$3" manifest.json > "$0.json"', async ({ folder, env, images }) => {
    const [api, worker] = images.map(({ name, image }) => `kurun.local/${name}:${image.manifest.digest.slice(7, 27)}`);
    const said: string[] = [];
    const nodes = [{ images: new Set([api!, worker!]) }, { images: new Set([api!]) }];
    same(await loadImages(kind, images, { nodes, progress: (line) => said.push(line), signal, env }), [api, worker]);
    same(said.map((line) => line.replace(/\(.*\)/, "(SIZE)")), ["Loading worker into kind's cluster dev (SIZE)"]);
    const sent = JSON.parse(await Deno.readTextFile(`${folder}/kind.json`));
    same(sent.map(({ RepoTags }: { RepoTags: string[] }) => RepoTags), [[worker]]);
    same(await loadImages(kind, images, { ...options, nodes: nodes.slice(0, 1), env }), [api, worker]);
    same((await Deno.readTextFile(`${folder}/calls`)).trim().split("\n").length, 1);
  }));
