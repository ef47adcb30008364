/**
 * Brings the images that the tests' Pods run into the cluster.
 *
 * @module
 */
import { writeImageArchive } from "../k8s/images/image_archive.ts";
import { ociImage } from "../k8s/images/oci_image.ts";
import type { ImageLayer } from "../k8s/images/image_layer.ts";
import type { Cluster } from "./cluster/cluster.ts";
import { denoImageContents, type DenoLayout } from "./cluster/deno_images.ts";
import { paths } from "./cluster/paths.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const SERVER_IMAGE = `${ROOT}build/kurun-server-test.tar`;

/** Builds this checkout's own image and those like denoland/deno's, and loads them into the cluster unless someone else created that. */
export async function loadPodImages(cluster: Cluster): Promise<void> {
  await loadServerImage(cluster);
  if (!cluster.foreign) await loadDenoImages(cluster);
}

async function loadServerImage(cluster: Cluster): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts", "image", "--output", SERVER_IMAGE],
    cwd: ROOT,
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("building the server's image failed");
  if (!cluster.foreign) await cluster.load(SERVER_IMAGE);
}

/** Loads the images like denoland/deno's that the node does not have: they do not depend on kurun's source. */
export async function loadDenoImages(cluster: Cluster): Promise<void> {
  for (const layout of ["distroless", "debian", "alpine"] as const) await loadDenoImage(cluster, layout);
}

async function loadDenoImage(cluster: Cluster, layout: DenoLayout): Promise<void> {
  const contents = await denoImageContents(layout, paths().images);
  const { manifest } = ociImage(contents, contents.layers as readonly ImageLayer[]);
  const listed = await cluster.exec(["ctr", "images", "ls", `name==${contents.reference}`], { stdout: "piped" }).output();
  if (new TextDecoder().decode(listed.stdout).includes(manifest.digest)) return;
  const archive = `${paths().images}/${layout}.tar`;
  await writeImageArchive(archive, contents);
  await cluster.load(archive);
  await Deno.remove(archive);
}
