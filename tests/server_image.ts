import type { Cluster } from "./cluster/cluster.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const IMAGE = `${ROOT}build/kurun-server-test.tar`;

/** Builds the image of kurun's Pod from this checkout, and loads it into the cluster unless someone else created that. */
export async function loadServerImage(cluster: Cluster): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts", "image", "--output", IMAGE],
    cwd: ROOT,
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("building the server's image failed");
  if (!cluster.foreign) await cluster.load(IMAGE);
}
