import assert from "node:assert/strict";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { configure, Webhook } from "./webhook.ts";

/** What a new ConfigMap's annotations are, once the webhook was asked. */
async function annotationsOfNew(namespace: TestNamespace, name: string): Promise<Record<string, string>> {
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: namespace.name } };
  return JSON.parse(await kubectl(["create", "-f", "-", "-o", "json"], JSON.stringify(configMap))).metadata.annotations;
}

clusterTest(
  "a webhook here is asked through a Service that has no Pods, at three ports, and without kurun creates fail with its sentence",
  async (namespace) => {
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "hook", namespace: namespace.name },
      spec: {
        selector: { app: "hook" },
        ports: [
          { name: "https", port: 443, targetPort: "https" },
          { name: "low", port: 8443, targetPort: 443 },
          { name: "high", port: 9443, targetPort: 9443 },
        ],
      },
    };
    await kubectl(["create", "-f", "-"], JSON.stringify(service));
    const read = () => kubectl(["get", "service", "hook", "-n", namespace.name, "-o", "json", "--show-managed-fields"]);
    const before = await read();
    await using webhook = await Webhook.start(namespace, "hook");
    const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls", "--hold", "1s"];
    await using kurun = await KurunProcess.start([...args, "--ttl", "30s"]).ready();
    for (const port of [443, 8443, 9443]) {
      await using _configuration = await configure(namespace, { service: "hook", port }, webhook.ca);
      assert.equal((await annotationsOfNew(namespace, `asked-at-${port}`))["always-annotate-this"], "true");
    }
    await using _configuration = await configure(namespace, { service: "hook", port: 443 }, webhook.ca);
    kurun.signal("SIGKILL");
    await kurun.exit;
    const started = performance.now();
    await assert.rejects(annotationsOfNew(namespace, "unanswered"), /kurun: nobody is connected|EOF|may have been delivered/);
    assert.ok(performance.now() - started < 3_000, `${performance.now() - started} ms`);
    await assert.rejects(annotationsOfNew(namespace, "unanswered"), /kurun: nobody is connected to session/);
    await using again = await KurunProcess.start(args).ready();
    assert.equal((await annotationsOfNew(namespace, "asked-again"))["always-annotate-this"], "true");
    again.signal("SIGINT");
    assert.equal(await again.exit, 0);
    assert.equal(await read(), before);
  },
);
