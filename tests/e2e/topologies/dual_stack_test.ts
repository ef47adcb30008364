/**
 * A cluster whose node, Pods and Services have IPv4 and IPv6: `KURUN_TEST_TOPOLOGY=dual-stack`, or `dual-stack-ipv6` if IPv6 comes first.
 *
 * @module
 */
import assert from "node:assert/strict";
import { chosenVariant } from "../../cluster/variant.ts";
import { hookDeployment } from "../hook_deployment.ts";
import { KubeconfigFile } from "../kubeconfig_file.ts";
import { KurunProcess } from "../kurun_process.ts";
import { kubectl, type TestNamespace } from "../kubernetes.ts";
import { serveHttp, type Upstream } from "../upstreams.ts";
import { configure, Webhook } from "../webhook.ts";
import { topologyTest } from "./topology_test_case.ts";

const test = (name: string, fn: (namespace: TestNamespace) => Promise<void>) => topologyTest(["dual-stack", "dual-stack-ipv6"], name, fn);

/** A program on ::1 alone. */
function serveOnIPv6(): Upstream {
  const server = Deno.serve({ port: 0, hostname: "::1", onListen: () => {} }, () => new Response("from here"));
  return { url: `http://[::1]:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Creates a Service and the Deployment, without Pods, that it selects. */
async function create(namespace: TestNamespace, service: Record<string, unknown>): Promise<void> {
  const items = [service, hookDeployment({ app: "hook" }, 0, { image: "kurun.test/toolbox:1", args: ["pause"] })];
  await kubectl(["create", "-n", namespace.name, "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}

/** An address in a URL. */
function host(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

/** The addresses of a Service, each with its answer. */
async function answers(namespace: TestNamespace, service: string, port = 80): Promise<[family: string, answer: string][]> {
  const path = "jsonpath={.spec.clusterIPs[*]}";
  const addresses = (await kubectl(["get", "service", service, "-n", namespace.name, "-o", path])).split(" ");
  return await Promise.all(addresses.map(async (address): Promise<[string, string]> => {
    return [address.includes(":") ? "IPv6" : "IPv4", await (await fetch(`http://${host(address)}:${port}/`)).text()];
  }));
}

/** What the slices of a Service lead to: family, and whether each address is of it. */
async function slicesOf(namespace: TestNamespace, service: string): Promise<string[]> {
  const label = `kubernetes.io/service-name=${service},endpointslice.kubernetes.io/managed-by=kurun`;
  const { items } = JSON.parse(await kubectl(["get", "endpointslices", "-n", namespace.name, "-l", label, "-o", "json"]));
  return items.map(({ addressType, endpoints }: { addressType: string; endpoints: { addresses: string[] }[] }) => {
    const fits = endpoints.every(({ addresses }) => addresses.every((address) => address.includes(":") === (addressType === "IPv6")));
    return `${addressType} ${fits}`;
  }).sort();
}

for (
  const [title, families, spec] of [
    ["both families", ["IPv4", "IPv6"], { ipFamilyPolicy: "RequireDualStack" }],
    ["IPv6 alone", ["IPv6"], { ipFamilies: ["IPv6"] }],
    ["IPv4 alone", ["IPv4"], { ipFamilies: ["IPv4"] }],
  ] as const
) {
  test(`an existing Service of ${title} leads to the program here, which is on ::1, by each address`, async (namespace) => {
    const service = { selector: { app: "hook" }, ports: [{ port: 80, targetPort: 8080 }], ...spec };
    await create(namespace, { apiVersion: "v1", kind: "Service", metadata: { name: "hook" }, spec: service });
    await using upstream = serveOnIPv6();
    await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name, "--servicename", "hook"]).ready();
    assert.deepEqual((await answers(namespace, "hook")).sort(), families.map((family) => [family, "from here"]));
    assert.deepEqual(await slicesOf(namespace, "hook"), families.map((family) => `${family} true`));
    kurun.signal("SIGINT");
    assert.equal(await kurun.ended(), 0, kurun.stderr);
  });
}

for (const transport of ["service", "pod"]) {
  test(`kurun reaches an API server at an IPv6 address, and its Pod answers on both of its own: --transport ${transport}`, async (namespace) => {
    await using kubeconfig = await KubeconfigFile.create(({ clusters: [entry] }) => {
      const server = new URL(String(entry!.cluster["server"]));
      entry!.cluster["server"] = `https://[::1]:${server.port}`;
    });
    await using upstream = serveHttp(() => new Response("from here"));
    const flags = ["-n", namespace.name, "--transport", transport, "--kubeconfig", kubeconfig.path];
    await using kurun = await KurunProcess.start(["port-forward", upstream.url, ...flags]).ready();
    assert.equal(kurun.remarks, "");
    const first = chosenVariant().topology === "dual-stack-ipv6" ? "IPv6" : "IPv4";
    assert.deepEqual(await answers(namespace, "kurun"), [[first, "from here"]]);
    const [pod] = JSON.parse(await kubectl(["get", "pods", "-n", namespace.name, "-o", "json"])).items;
    const port = pod.spec.containers[0].ports.find(({ name }: { name: string }) => name !== "kurun-control").containerPort;
    const texts = pod.status.podIPs.map(async ({ ip }: { ip: string }) => await (await fetch(`http://${host(ip)}:${port}/`)).text());
    assert.deepEqual(await Promise.all(texts), ["from here", "from here"]);
  });
}

test("the API server calls a webhook through an IPv6 Service", async (namespace) => {
  const service = { selector: { app: "hook" }, ports: [{ port: 443, targetPort: 9443 }], ipFamilies: ["IPv6"] };
  await create(namespace, { apiVersion: "v1", kind: "Service", metadata: { name: "hook" }, spec: service });
  await using webhook = await Webhook.start(namespace, "hook");
  const args = ["port-forward", webhook.url, "-n", namespace.name, "--servicename", "hook", "--tlssecret", "hook-tls"];
  await using _kurun = await KurunProcess.start(args).ready();
  await using _configuration = await configure(namespace, { service: "hook", port: 443 }, webhook.ca);
  const path = "jsonpath={.metadata.annotations.always-annotate-this}";
  const called = async () => await kubectl(["create", "configmap", "a", "-n", namespace.name, "--dry-run=server", "-o", path]) === "true";
  // The API server follows a configuration a moment after it is created.
  const until = performance.now() + 10_000;
  while (!await called()) assert.ok(performance.now() < until, "the API server does not call the webhook");
});
