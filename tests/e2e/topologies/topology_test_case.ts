import { chosenVariant, type Topology } from "../../cluster/variant.ts";
import { clusterTest, type TestNamespace } from "../kubernetes.ts";

/** A test that only makes sense on some topologies of the test cluster (KURUN_TEST_TOPOLOGY); elsewhere it is skipped, and its name says so. */
export function topologyTest(topologies: readonly Topology[], name: string, fn: (namespace: TestNamespace) => Promise<void>): void {
  if (topologies.includes(chosenVariant().topology)) clusterTest(name, fn);
  else Deno.test({ name: `${name} (only on ${topologies.join(", ")})`, ignore: true, fn: () => {} });
}
