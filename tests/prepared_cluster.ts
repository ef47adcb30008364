import { type Cluster, ensureUp } from "./cluster/cluster.ts";
import { fetchExamplePackages } from "./example_packages.ts";
import { grpcProgram } from "./grpc_program.ts";
import { guestbookProgram } from "./guestbook_program.ts";
import { loadPodImages } from "./pod_images.ts";
import { registryProgram } from "./registry_program.ts";

/** The cluster, with the images and programs that its tests need: inside its network neither Go's modules nor npm can be reached. */
export async function preparedCluster(): Promise<Cluster> {
  const cluster = await ensureUp();
  await loadPodImages(cluster);
  await grpcProgram();
  await guestbookProgram();
  await registryProgram();
  await fetchExamplePackages();
  return cluster;
}
