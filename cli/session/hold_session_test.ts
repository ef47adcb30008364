import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../tests/forward_plan.ts";
import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import type { SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { ClusterSession } from "../../k8s/session/session.ts";
import { handshakeAsServer, importKey, Session } from "../../tunnel/mod.ts";
import { type WebSocketLike, WsTransport } from "../../tests/ws_transport.ts";
import type { Context } from "../command/context.ts";
import { holdSession, type LostLink, NotReadyError } from "./hold_session.ts";

const KEY = new Uint8Array(32);
const PLAN: SessionPlan = { ...FORWARD_PLAN, ports: [], ttlSeconds: 60, holdMs: 0 };
const RUN: SessionPlan = { ...PLAN, run: { baseImage: "debian" } } as unknown as SessionPlan;
const READY = { metadata: { name: "web-1" }, status: { podIP: "10.0.0.1", conditions: [{ type: "Ready", status: "True" }] } };
const PULLING = {
  metadata: { name: "web-1" },
  status: {
    podIP: "10.0.0.1",
    containerStatuses: [{ name: "a", image: "debian", state: { waiting: { reason: "ErrImagePull", message: "debian: not found" } } }],
  },
};

/** What {@link hold} saw. */
interface Seen {
  readonly said: string[];
  readonly links: (LostLink | undefined)[];
  readied: number;
  renewals: number;
  end: unknown;
}

/** Holds a session until `until`. The cluster's Pod is `pod`; `connect` gets each established tunnel, and no tunnel is established without it. */
async function hold(
  plan: SessionPlan,
  pod: unknown,
  { connect, timeoutMs, until }: {
    connect?: (session: Session, number: number) => void;
    timeoutMs: number;
    until: (seen: Seen) => boolean;
  },
): Promise<Seen> {
  const job = {
    metadata: { name: plan.name, uid: "job-1", resourceVersion: "1", annotations: {} },
    status: { startTime: new Date().toISOString() },
  };
  const seen: Seen = { said: [], links: [], readied: 0, renewals: 0, end: undefined };
  let tunnels = 0;
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith("/reachable")) return Response.json({});
    if (request.method === "PATCH") {
      seen.renewals += pathname.includes("/jobs/") ? 1 : 0;
      return Response.json(job);
    }
    if (pathname.endsWith("/tunnel")) {
      if (!connect) return Response.json({ kind: "Status", message: "no endpoints available", code: 503 }, { status: 503 });
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "kurun.v1" });
      const number = ++tunnels;
      void accept(socket, plan.name).then((session) => connect(session, number), () => socket.close());
      return response;
    }
    const events = pathname.endsWith("/pods") ? `${JSON.stringify({ type: "ADDED", object: pod })}\n` : "";
    return new Response(new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode(events)) }));
  });
  const access = await loadClusterAccess({ server: `http://127.0.0.1:${server.addr.port}` }, { get: () => undefined });
  using api = new Api(access, { userAgent: "test" });
  const now = () => performance.now();
  const context = { now, date: () => new Date(), who: "ann", from: "laptop" } as unknown as Context;
  const session = await ClusterSession.adopt(api, plan, { job, now: new Date() }, now);
  const stop = new AbortController();
  const held = holdSession({
    context,
    access,
    api,
    started: { session, key: KEY, certificate: "", ways: ["service"] },
    onStream: (stream) => stream.reset(),
    onReady: () => void seen.readied++,
    onLink: (lost) => seen.links.push(lost),
    say: (line) => seen.said.push(line),
    timeoutMs,
    signal: stop.signal,
  }).catch((error) => seen.end = error);
  while (seen.end === undefined && !until(seen)) await new Promise((resolve) => setTimeout(resolve, 20));
  const { end } = seen;
  stop.abort();
  await held;
  return { ...seen, end };
}

async function accept(socket: WebSocket, session: string): Promise<Session> {
  socket.binaryType = "arraybuffer";
  const like = {
    bufferedAmount: 0,
    send: (data: Uint8Array<ArrayBuffer>, _options: unknown, sent: () => void) => (socket.send(data), sent()),
    close: (code: number, reason: string) => socket.close(code, reason),
    terminate: () => socket.close(),
    on: (event: string, listener: (...values: unknown[]) => void) => {
      if (event === "message") socket.onmessage = ({ data }) => listener(new Uint8Array(data), true);
      if (event === "close") socket.onclose = ({ code, reason }) => listener(code, new TextEncoder().encode(reason));
    },
  } as unknown as WebSocketLike;
  const transport = new WsTransport(like);
  const hello = { capabilities: [], session, instance: "i", who: "", from: "" };
  const { rest } = await handshakeAsServer(transport, { key: await importKey(KEY), hello, signal: AbortSignal.timeout(5_000) });
  const ours = new Session(transport, { role: "server", now: () => performance.now() });
  for (const message of rest) ours.receive(message);
  return ours;
}

/** WebSockets of Deno's client and server close a moment after their session. */
function holdTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn });
}

for (
  const [kind, plan, pod] of [
    ["port-forward", PLAN, READY],
    ["port-forward, whose callers come before the Pod is ready", { ...PLAN, early: true }, PULLING],
    ["run, whose Pod need not be ready", RUN, PULLING],
  ] as const
) {
  holdTest(`a lost tunnel is reported once, checks the session and is restored, with ${kind}`, async () => {
    let tunnels = 0;
    const connect = (session: Session, number: number) => {
      tunnels = number;
      if (number === 1) setTimeout(() => session.close(1000, "the Pod ends"), 500);
    };
    const { said, links, readied, renewals, end } = await hold(plan, pod, {
      connect,
      timeoutMs: 1_000,
      until: ({ links }) => tunnels === 2 && links.length > 2 && links.at(-1) === undefined,
    });
    assert.equal(end, undefined);
    assert.deepEqual(said.filter((line) => !line.startsWith("Waiting")), [
      "Connection lost: the Pod ends; reconnecting",
      "Reconnected after 0s",
    ]);
    assert.equal(readied, 1);
    assert.deepEqual([links[0], links[1]?.why, links.at(-1)], [undefined, "the Pod ends", undefined]);
    // The adoption, the renewal at the start, and the check of the lost session.
    assert.equal(renewals, 3);
  });
}

holdTest("a session that is not ready in time says what it waited for: the Pod or the tunnel", async () => {
  const never = { timeoutMs: 500, until: () => false };
  const image = await hold({ ...PLAN, image: "debian" }, PULLING, never);
  assert.ok(image.end instanceof NotReadyError && image.end.link === undefined);
  assert.match(image.said.join(), /^Waiting for the Pod: ErrImagePull: debian: not found\n {2}Copy debian to a registry/);
  assert.equal(`Waiting for the Pod: ${image.end.waitedFor}`, image.said.join());
  const link = await hold(PLAN, READY, never);
  assert.ok(link.end instanceof NotReadyError && link.end.waitedFor === undefined);
  assert.match(link.end.link ?? "", /no endpoints available/);
  assert.deepEqual([link.readied, link.links, link.said], [0, [], []]);
});

holdTest("the advice for kurun's own image is not given for the image of a run", async () => {
  const { said, end } = await hold(RUN, PULLING, { timeoutMs: 500, until: () => false });
  assert.ok(end instanceof NotReadyError);
  assert.deepEqual(said, ["Waiting for the Pod: ErrImagePull: debian: not found"]);
});
