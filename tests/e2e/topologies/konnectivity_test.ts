/**
 * An API server that reaches Pods, Services and kubelet only through Kubernetes' network proxy: `KURUN_TEST_TOPOLOGY=konnectivity`. The
 * node refuses the API server's other connections (onenode/konnectivity.go); each test checks that nothing works while the agent is halted.
 *
 * @module
 */
import assert from "node:assert/strict";
import { runCommand } from "../../cluster/commands.ts";
import { ANSWERED_BY, answeringHere, OriginalWebhook } from "../answering_webhook.ts";
import { KurunProcess } from "../kurun_process.ts";
import { kubectl, printFigure, type TestNamespace } from "../kubernetes.ts";
import { serveHttp } from "../upstreams.ts";
import { topologyTest } from "./topology_test_case.ts";

const test = (name: string, fn: (namespace: TestNamespace) => Promise<void>) => topologyTest(["konnectivity"], name, fn);

async function agent(action: "halt" | "resume"): Promise<void> {
  const { code, said } = await runCommand(["onenode", action, "konnectivity-agent"]);
  assert.equal(code, 0, said);
}

for (const transport of ["service", "pod"]) {
  test(`the tunnel goes through the network proxy, and comes back after its agent was away: --transport ${transport}`, async (namespace) => {
    await using upstream = serveHttp(() => new Response("from here"));
    const args = ["port-forward", upstream.url, "-n", namespace.name, "--transport", transport];
    await using kurun = await KurunProcess.start(args).ready();
    assert.equal(kurun.remarks, "");
    const url = `http://${await namespace.address()}/`;
    const answered = async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(20_000) }).catch(() => undefined);
      if (!response) return undefined;
      return response.ok ? await response.text() : (await response.body?.cancel(), response.status);
    };
    assert.equal(await answered(), "from here");
    await agent("halt");
    try {
      // Without the agent no other connection leads from the API server to the Pod.
      await kurun.waitFor(/^Connection lost: /m, 60_000);
      assert.notEqual(await answered(), "from here");
    } finally {
      await agent("resume");
    }
    const back = performance.now();
    while (await answered() !== "from here") {
      assert.ok(performance.now() - back < 40_000, kurun.stderr);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    printFigure(`konnectivity, ${transport}: answers ${((performance.now() - back) / 1000).toFixed(1)} s after the agent is back`);
    kurun.signal("SIGINT");
    assert.equal(await kurun.ended(), 0, kurun.stderr);
    assert.deepEqual(await namespace.leftOfKurun(), []);
  });
}

test("the API server calls a session's webhook through the network proxy, and the original's afterwards", async (namespace) => {
  await using original = await OriginalWebhook.start(namespace);
  await original.configure(namespace.name, [namespace.name]);
  await using upstream = answeringHere("here");
  const path = `jsonpath={.metadata.annotations.${ANSWERED_BY}}`;
  const create = () => kubectl(["create", "configmap", "asked", "-n", namespace.name, "--dry-run=server", "-o", path]);
  await using kurun = await KurunProcess.start(["webhook", upstream.url, "-n", namespace.name, "--config", namespace.name]).answering();
  assert.equal(await create(), "here");
  await agent("halt");
  try {
    await assert.rejects(create());
  } finally {
    await agent("resume");
  }
  kurun.signal("SIGINT");
  assert.equal(await kurun.ended(), 0, kurun.stderr);
  assert.equal(await create(), "original");
});
