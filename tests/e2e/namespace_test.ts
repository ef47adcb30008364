import assert from "node:assert/strict";
import { KubeconfigFile } from "./kubeconfig_file.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl } from "./kubernetes.ts";
import { serveHttp } from "./upstreams.ts";

clusterTest("without -n everything is created in the context's namespace", async (namespace) => {
  await using kubeconfig = await KubeconfigFile.create((kubeconfig) =>
    void (kubeconfig.contexts[0]!.context["namespace"] = namespace.name)
  );
  await using upstream = serveHttp(() => new Response("from here"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "--kubeconfig", kubeconfig.path]).ready();
  assert.equal(kurun.stdout, `Forwarding http://kurun.${namespace.name}.svc:80 -> ${upstream.url}\n`);
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
});

clusterTest("a namespace that enforces Pod Security restricted admits the Pod without a warning", async (namespace) => {
  const labels = JSON.parse(await kubectl(["get", "namespace", namespace.name, "-o", "jsonpath={.metadata.labels}"]));
  assert.equal(labels["pod-security.kubernetes.io/enforce"], "restricted");
  await using upstream = serveHttp(() => new Response("from here"));
  await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--timeout", "10s"]).ready();
  assert.equal(kurun.remarks, "");
  assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
});
