import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../../tests/forward_plan.ts";
import { PortForwardServer } from "../../../tests/port_forward_server.ts";
import { TlsServer } from "../../../tests/tls_server.ts";
import type { Transport } from "../../../tunnel/mod.ts";
import { Api } from "../../api/api.ts";
import { selfSignedServerCertificate } from "../../certificate/certificate.ts";
import { IdleConnections } from "../../api/http1.ts";
import { loadClusterAccess } from "../../kubeconfig/kubeconfig.ts";
import { dialByPod } from "./tunnel_dial.ts";
import { TunnelDialer, type TunnelWay } from "./tunnel_dialer.ts";

const now = new Date();
const certificate = await selfSignedServerCertificate({ names: ["web-kurun"], days: 1, now });
const pod = (name: string, more: Record<string, unknown> = {}) => ({
  type: "ADDED",
  object: { metadata: { name, ...more }, status: { phase: "Running" } },
});

/** The cluster's answers. */
function running(path: string): unknown {
  return path.includes("/pods?") ? pod("web-1") : undefined;
}

/** Runs with a client of a cluster whose Pods' ports lead to `port`. */
async function inCluster(
  port: number,
  answered: (path: string) => unknown,
  run: (session: Parameters<typeof dialByPod>[0], server: PortForwardServer) => Promise<void>,
): Promise<void> {
  await using server = await PortForwardServer.listen(port, answered);
  const access = await loadClusterAccess({ server: server.url.href }, { get: () => undefined });
  using api = new Api(access, { userAgent: "test" });
  const refused = new IdleConnections();
  await run({ access, api, plan: FORWARD_PLAN, certificate: certificate.certPem, refused }, server);
  refused.close();
}

/** Sends messages of these sizes and waits for all of them to come back. */
async function echo(transport: Transport, sizes: readonly number[]): Promise<void> {
  const back = Promise.withResolvers<Uint8Array[]>();
  const parts: Uint8Array[] = [];
  let messages = 0;
  transport.onmessage = (part, last) => {
    parts.push(part.slice());
    if (last && ++messages === sizes.length) back.resolve(parts);
  };
  const sent = sizes.map((size, at) => new Uint8Array(size).fill(at + 1));
  for (const message of sent) transport.send(message);
  const bytes = (list: readonly Uint8Array[]) => new Uint8Array(list.flatMap((one) => [...one]));
  assert.deepEqual(bytes(await back.promise), bytes(sent));
  const ended = new Promise((resolve) => transport.onclose = resolve);
  transport.close(1000, "over");
  await ended;
}

Deno.test("a tunnel through the kubelet carries messages both ways, over TLS with the Pod that is not being deleted", async () => {
  await using server = await TlsServer.listen({ certificate });
  const pods = [pod("web-0", { deletionTimestamp: now.toISOString() }), pod("web-1")];
  await inCluster(server.port, () => pods, async (session, api) => {
    await echo(await dialByPod(session, AbortSignal.timeout(10_000)), [1, 60_000, 7, 65_536, 200_000]);
    assert.match(api.asked.at(-1)!, /^\/api\/v1\/namespaces\/shop\/pods\/web-1\/portforward\?ports=8333$/);
  });
});

Deno.test("a Pod with another certificate is refused, and the kubelet's words say why a port cannot be reached", async () => {
  const other = await selfSignedServerCertificate({ names: ["web-kurun"], days: 1, now });
  await using server = await TlsServer.listen({ certificate: other });
  await inCluster(server.port, running, async (session) => {
    await assert.rejects(dialByPod(session, AbortSignal.timeout(10_000)), { name: "ConnectionError", message: /certificate/i });
  });
  using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr;
  closed.close();
  await inCluster(port, running, async (session) => {
    await assert.rejects(dialByPod(session, AbortSignal.timeout(10_000)), { message: /error forwarding port: .*ECONNREFUSED/ });
  });
});

Deno.test("auto takes the kubelet when the service proxy fails, and keeps to it", async () => {
  await using server = await TlsServer.listen({ certificate });
  await inCluster(server.port, running, async (session, api) => {
    const stop = new AbortController();
    const switched: (readonly [TunnelWay, string])[] = [];
    const dialer = new TunnelDialer({
      ...session,
      ways: ["service", "pod"],
      addressed: Promise.resolve(),
      onSwitch: (way, why) => switched.push([way, why]),
      signal: stop.signal,
    });
    let transport: Transport | undefined;
    let failures = 0;
    while (!transport) {
      transport = await dialer.dial(AbortSignal.timeout(5_000)).catch(() => (failures++, undefined));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(failures > 10, "the service proxy has a head start");
    await echo(transport, [10]);
    assert.deepEqual(switched.map(([way]) => way), ["pod"]);
    assert.match(switched[0]![1], /no route/);
    const before = api.asked.length;
    await echo(await dialer.dial(AbortSignal.timeout(5_000)), [10]);
    assert.ok(!api.asked.slice(before).some((path) => path.includes("/proxy/tunnel")));
    stop.abort();
  });
});
