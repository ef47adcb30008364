import assert from "node:assert/strict";
import { modulesFolder } from "./programs.ts";
import { chosenVariant, KUBERNETES_VERSIONS, type KubernetesVersion, TOPOLOGIES, USUAL_VARIANT } from "./variant.ts";

Deno.test("the environment chooses the test cluster's variant", () => {
  const chosen = (env: Record<string, string>) => chosenVariant((name) => env[name]);
  assert.deepEqual(chosen({}), USUAL_VARIANT);
  assert.deepEqual(chosen({ KURUN_TEST_KUBERNETES: "" }), USUAL_VARIANT);
  assert.equal(chosen({ KURUN_TEST_KUBERNETES: "1.31" }).kubernetes, "1.31");
  assert.throws(() => chosen({ KURUN_TEST_KUBERNETES: "1.30" }), {
    message: "KURUN_TEST_KUBERNETES must be one of 1.31, 1.34, 1.37; got 1.30.",
  });
  assert.throws(() => chosen({ KURUN_TEST_TOPOLOGY: "toString" }), /^ClusterError: KURUN_TEST_TOPOLOGY must be one of one-node/);
});

Deno.test("the version that a test cluster reports is the one in its go.mod", async () => {
  for (const [minor, version] of Object.entries(KUBERNETES_VERSIONS)) {
    const folder = modulesFolder(minor as KubernetesVersion);
    const modules = await Deno.readTextFile(new URL(`programs/kubernetes/${folder}go.mod`, import.meta.url));
    assert.match(modules, new RegExp(`^\tk8s\\.io/kubernetes v${version}$`, "m"));
  }
});

Deno.test("the node's program has the same topologies", async () => {
  const source = await Deno.readTextFile(new URL("programs/onenode/topology.go", import.meta.url));
  const [, first] = /^const \(\n([^)]*)\n\)/m.exec(source) ?? [];
  assert.deepEqual([...first!.matchAll(/= "([\w-]+)"/g)].map(([, name]) => name), [...TOPOLOGIES]);
});
