/**
 * Two API servers on one etcd behind a TCP balancer: `KURUN_TEST_TOPOLOGY=two-api-servers`. What etcd says can reach the second one late, so
 * that its watches, caches, webhooks and roles are behind what was just written through the first one.
 *
 * @module
 */
import assert from "node:assert/strict";
import { certificateAuthority } from "../../certificate_authority.ts";
import { runCommand } from "../../cluster/commands.ts";
import { PathProxy } from "../../path_proxy.ts";
import { ANSWERED_BY, answeringHere, OriginalWebhook } from "../answering_webhook.ts";
import { Files } from "../apply_runs.ts";
import { CreateLoad } from "../create_load.ts";
import { clusterFacts, kubeconfigText } from "../kubeconfig.ts";
import { KurunProcess } from "../kurun_process.ts";
import { kubectl, printFigure, type TestNamespace } from "../kubernetes.ts";
import { serveHttp } from "../upstreams.ts";
import { topologyTest } from "./topology_test_case.ts";

/** As in the test cluster's topology.go. */
const SERVERS = ["https://10.200.0.1:6443", "https://10.200.0.2:6443"] as const;
/** As in the test cluster's delay.go. */
const ETCD_DELAY = "/run/kurun/etcd-delay";
/** Longer than anything takes between the writes of a start, shorter than kurun's wait for other API servers (k8s/webhook/switch.ts). */
const LATE_MS = 300;

const test = (name: string, fn: (namespace: TestNamespace) => Promise<void>) => topologyTest(["two-api-servers"], name, fn);

/** The second API server learns everything later, until disposed. */
async function lateSecondServer(): Promise<AsyncDisposable> {
  await Deno.writeTextFile(ETCD_DELAY, `${LATE_MS}`);
  return { [Symbol.asyncDispose]: () => Deno.remove(ETCD_DELAY) };
}

/** Passes every request on to the API server whose turn it is. */
class AlternatingServer implements AsyncDisposable {
  private constructor(readonly proxy: PathProxy, readonly kubeconfig: string, readonly remove: () => Promise<void>) {}

  static async listen(namespace: TestNamespace): Promise<AlternatingServer> {
    const authority = await certificateAuthority({ commonName: "proxy", days: 1, now: new Date() });
    const certificate = await authority.issue({ names: ["127.0.0.1"], days: 1, now: new Date() });
    let turn = 0;
    const server = () => new URL(SERVERS[turn++ % SERVERS.length] as string);
    const proxy = await PathProxy.listen({ certificate, path: "", server, serverCa: (await clusterFacts()).ca });
    const { name } = namespace;
    await kubectl(["create", "serviceaccount", "laptop", "-n", name]);
    await kubectl(["create", "clusterrolebinding", name, "--clusterrole=cluster-admin", `--serviceaccount=${name}:laptop`]);
    const token = (await kubectl(["create", "token", "laptop", "-n", name])).trim();
    const cluster = { server: proxy.url, "certificate-authority-data": btoa(authority.certPem) };
    const kubeconfig = await Deno.makeTempFile({ prefix: "kurun-kubeconfig-" });
    await Deno.writeTextFile(kubeconfig, kubeconfigText({ cluster, user: { token } }));
    return new AlternatingServer(proxy, kubeconfig, () => kubectl(["delete", "clusterrolebinding", name]).then(() => {}));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await Deno.remove(this.kubeconfig);
    await this.remove();
  }
}

/** Waits until both servers know that what kurun left is being deleted: the late one may be the one that kubectl asks. */
async function nothingLeft(namespace: TestNamespace): Promise<void> {
  const until = performance.now() + 10_000;
  while ((await namespace.leftOfKurun()).length > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(await namespace.leftOfKurun(), []);
}

test("a session is created, resumed and removed though every other request reaches an API server that is late", async (namespace) => {
  await using servers = await AlternatingServer.listen(namespace);
  await using _late = await lateSecondServer();
  await using upstream = serveHttp(() => new Response("from here"));
  const start = () => KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--kubeconfig", servers.kubeconfig]);
  const answered = async () => await (await fetch(`http://${await namespace.address()}/`)).text();
  await using first = await start().ready();
  assert.equal(first.remarks, "");
  assert.equal(await answered(), "from here");
  const jobs = await kubectl(["get", "jobs", "-n", namespace.name, "-o", "name"]);
  first.signal("SIGKILL");
  await first.exit;
  await using second = await start().ready();
  assert.equal(await answered(), "from here");
  assert.equal(await kubectl(["get", "jobs", "-n", namespace.name, "-o", "name"]), jobs, second.stderr);
  second.signal("SIGINT");
  assert.equal(await second.ended(), 0, second.stderr);
  await nothingLeft(namespace);
  await using again = await start().ready();
  assert.equal(await answered(), "from here");
  again.signal("SIGINT");
  assert.equal(await again.ended(), 0, again.stderr);
});

test("a program runs, and a definition is applied with its objects, through API servers of which one is late", async (namespace) => {
  await using servers = await AlternatingServer.listen(namespace);
  await using _late = await lateSecondServer();
  const group = `${namespace.name}.kurun.test`;
  const names = { plural: "paints", singular: "paint", kind: "Paint" };
  const schema = {
    openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: { color: { type: "string" } } } } },
  };
  const versions = [{ name: "v1", served: true, storage: true, schema }];
  const definition = { group, names, scope: "Namespaced", versions };
  const objects = [
    { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: `paints.${group}` }, spec: definition },
    { apiVersion: "v1", kind: "Namespace", metadata: { name: `${namespace.name}-new` } },
    ...["red", "blue", "green"].map((name) => {
      return { apiVersion: `${group}/v1`, kind: "Paint", metadata: { name, namespace: `${namespace.name}-new` }, spec: { color: name } };
    }),
  ];
  await using files = await Files.of({
    "all.yaml": objects.map((object) => JSON.stringify(object)).join("\n---\n"),
    "main.ts": `console.log("it ran");`,
  });
  const here = ["--kubeconfig", servers.kubeconfig];
  try {
    const ran = await KurunProcess.run(["run", ...here, "-n", namespace.name, files.path("main.ts")]);
    assert.deepEqual([ran.code, ran.stdout], [0, "it ran\n"], ran.stderr);
    const applied = await KurunProcess.run(["apply", "-f", files.path("all.yaml"), ...here]);
    assert.equal(applied.code, 0, applied.stderr);
    const deleted = await KurunProcess.run(["delete", "-f", files.path("all.yaml"), ...here]);
    assert.equal(deleted.code, 0, deleted.stderr);
  } finally {
    await kubectl(["delete", "--ignore-not-found", "--wait=false", `crd/paints.${group}`, `namespace/${namespace.name}-new`]);
  }
});

test("both API servers call a session's webhook, and neither refuses anything while it starts and ends", async (namespace) => {
  await using original = await OriginalWebhook.start(namespace);
  await original.configure(namespace.name, [namespace.name]);
  const before = await original.stored();
  await using upstream = answeringHere("here");
  const who = (annotations: Record<string, string>) => annotations[ANSWERED_BY] ?? "nobody";
  await using first = await CreateLoad.start(namespace.name, 10, who, SERVERS[0]);
  await using second = await CreateLoad.start(namespace.name, 10, who, SERVERS[1]);
  const answeredBy = (name: string) => Promise.all([first, second].map((load) => load.untilAnsweredBy(name)));
  await answeredBy("original");
  await using _late = await lateSecondServer();
  const wrong: string[] = [];
  for (const round of [1, 2]) {
    await using kurun = await KurunProcess.start(["webhook", upstream.url, "-n", namespace.name, "--config", namespace.name]).answering();
    await answeredBy("here");
    kurun.signal("SIGINT");
    assert.equal(await kurun.ended(), 0, kurun.stderr);
    await answeredBy("original");
    for (const [n, load] of [first, second].entries()) {
      for (const [answer, count] of Object.entries(await load.answers())) {
        // A create that the original is answering at the moment of the switch is then answered by the copy too.
        if (!["original", "here", "original,here"].includes(answer)) wrong.push(`round ${round}, server ${n + 1}: ${count} × ${answer}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(await original.stored(), before);
});

test("a session survives the death of either API server, and one starts while an API server is dead", async (namespace) => {
  await using upstream = serveHttp(() => new Response("from here"));
  const start = () => KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name]);
  await using kurun = await start().ready();
  const address = await namespace.address();
  const answers = () => fetch(`http://${address}/`, { signal: AbortSignal.timeout(10_000) }).then((response) => response.text(), () => "");
  const onenode = async (...words: string[]) => {
    const { code, said } = await runCommand(["onenode", ...words]);
    assert.equal(code, 0, said);
  };
  const gaps: number[] = [];
  try {
    // The tunnel goes through one of them, so one of the two deaths cuts it.
    for (const [n, server] of SERVERS.entries()) {
      await onenode("halt", `kube-apiserver-${n + 1}`);
      const died = performance.now();
      let last = died;
      let longest = 0;
      while (performance.now() - died < 3_000 || await answers() !== "from here") {
        if (await answers() === "from here") [longest, last] = [Math.max(longest, performance.now() - last), performance.now()];
        assert.ok(performance.now() - last < 15_000, `no answer for 15 s after the end of API server ${n + 1}:\n${kurun.stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      gaps.push(longest);
      if (n === SERVERS.length - 1) {
        kurun.signal("SIGINT");
        assert.equal(await kurun.ended(), 0, kurun.stderr);
        await nothingLeft(namespace);
        await using again = await start().ready();
        assert.equal(await (await fetch(`http://${await namespace.address()}/`)).text(), "from here");
        again.signal("SIGINT");
        assert.equal(await again.ended(), 0, again.stderr);
      }
      await onenode("resume", `kube-apiserver-${n + 1}`);
      const resumedAt = performance.now();
      while (await kubectl(["get", "--raw", "/readyz", "--server", server]).catch(() => "") !== "ok") {
        assert.ok(performance.now() - resumedAt < 60_000, `API server ${n + 1} is not ready after 60 s`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  } finally {
    await onenode("resume", "kube-apiserver");
  }
  printFigure(`two API servers: without an answer for ${gaps.map((ms) => (ms / 1000).toFixed(1)).join(" and ")} s after one died`);
});
