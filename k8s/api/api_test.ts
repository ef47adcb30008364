import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { SocketConnection } from "../../tunnel/mod.ts";
import { Api } from "./api.ts";
import { ApiError } from "./api_error.ts";
import { type ClusterAccess, connectionTo } from "./cluster_access.ts";
import type { Live } from "./kubernetes_objects.ts";
import type { ConnectionError } from "./connection_error.ts";

function accessTo(server: ScriptedServer, changes: Partial<ClusterAccess> = {}): ClusterAccess {
  return {
    server: new URL(`http://127.0.0.1:${server.port}/`),
    namespace: "default",
    context: "test",
    user: "jane",
    warnings: [],
    requestTimeoutMs: undefined,
    connection: () => Promise.resolve(connectionTo({ host: "127.0.0.1", port: server.port }, { Authorization: "Bearer secret" }, "1")),
    refreshCredentials: () => {},
    ...changes,
  };
}

function apiTo(server: ScriptedServer, changes: Partial<ClusterAccess> = {}): Api & Disposable {
  const api = new Api(accessTo(server, changes), { userAgent: "kurun/test" });
  return Object.assign(api, { [Symbol.dispose]: () => api.close() });
}

const OK = { kind: "ConfigMap", metadata: { name: "a" } };

Deno.test("Api.get() sends the user agent and credentials, and returns the decoded answer with the server's date", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK, { Date: "Mon, 23 Nov 2026 13:00:00 GMT" }));
  using api = apiTo(server);
  const answer = await api.get("/api/v1/namespaces/x/configmaps/a", { query: { limit: 5, continue: undefined } });
  assert.deepEqual(answer.body, OK);
  assert.equal(answer.date?.toISOString(), "2026-11-23T13:00:00.000Z");
  const [request] = server.requests;
  assert.equal(request?.target, "/api/v1/namespaces/x/configmaps/a?limit=5");
  assert.equal(request?.headers.authorization, "Bearer secret");
  assert.equal(request?.headers["user-agent"], "kurun/test");
  assert.equal(request?.headers.host, `127.0.0.1:${server.port}`);
});

Deno.test("Api prepends the path of the server's URL to every request", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  using api = apiTo(server, { server: new URL(`http://127.0.0.1:${server.port}/k8s/clusters/c-1/`) });
  await api.get("/api");
  assert.equal(server.requests[0]?.target, "/k8s/clusters/c-1/api");
});

Deno.test("Api lets no name in a path end the path or begin another request", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  using api = apiTo(server);
  const names = ["a HTTP/1.1\r\nHost: x\r\n\r\nDELETE /api/v1/namespaces/prod", "a b", "a?b=c", "a#b", "\0", "ü", "\ud800", "a%2Fb"];
  for (const name of names) await api.get(`/api/${name}`, { query: { limit: 1 } });
  assert.equal(server.connections, 1);
  assert.deepEqual(server.requests.map(({ method, target }) => `${method} ${target}`), [
    "GET /api/a%20HTTP/1.1%0D%0AHost:%20x%0D%0A%0D%0ADELETE%20/api/v1/namespaces/prod?limit=1",
    "GET /api/a%20b?limit=1",
    "GET /api/a%3Fb=c?limit=1",
    "GET /api/a%23b?limit=1",
    "GET /api/%00?limit=1",
    "GET /api/%C3%BC?limit=1",
    "GET /api/%EF%BF%BD?limit=1",
    "GET /api/a%2Fb?limit=1",
  ]);
});

Deno.test("Api uses one connection for sequential requests, and several for parallel ones", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  using api = apiTo(server);
  for (let i = 0; i < 3; i++) await api.get("/api");
  assert.equal(server.connections, 1);
  await Promise.all([api.get("/a"), api.get("/b"), api.get("/c")]);
  assert.equal(server.connections, 3);
});

Deno.test("Api.close() closes idle connections", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  const api = apiTo(server);
  await api.get("/api");
  assert.equal(server.open, 1);
  api.close();
  await server.allClosed();
  await assert.rejects(api.get("/api"), (error: ConnectionError) => error.kind === "aborted");
});

Deno.test("Api throws a Status as an ApiError with its reason, details and message", async () => {
  const status = {
    kind: "Status",
    message: 'configmaps "a" not found',
    reason: "NotFound",
    details: { name: "a", kind: "configmaps" },
    code: 404,
  };
  using server = new ScriptedServer((_, reply) => reply.json(404, status));
  using api = apiTo(server);
  await assert.rejects(api.get("/x"), (error: ApiError) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 404);
    assert.equal(error.reason, "NotFound");
    assert.equal(error.message, 'configmaps "a" not found');
    assert.equal(error.details?.name, "a");
    return true;
  });
  await assert.rejects(api.get("/x"));
  assert.equal(server.connections, 1, "the connection is kept");
});

Deno.test("Api throws a proxy's answer that is not a Status as an ApiError with its first line", async () => {
  using server = new ScriptedServer((_, reply) => reply.write("HTTP/1.1 502 Bad\r\nContent-Length: 16\r\n\r\nupstream is down"));
  using api = apiTo(server);
  await assert.rejects(api.get("/x"), { name: "ApiError", status: 502, message: "upstream is down" });
});

Deno.test("Api asks for new credentials after a 401, and gives up after the second one", async () => {
  let refreshed = 0;
  let token = "old";
  using server = new ScriptedServer((request, reply) =>
    request.headers.authorization === "Bearer new"
      ? reply.json(200, OK)
      : reply.json(401, { kind: "Status", message: "Unauthorized", reason: "Unauthorized" })
  );
  const connection = () =>
    Promise.resolve(connectionTo({ host: "127.0.0.1", port: server.port }, { Authorization: `Bearer ${token}` }, "1"));
  using api = apiTo(server, {
    connection,
    refreshCredentials: () => {
      refreshed++;
      token = "new";
    },
  });
  assert.deepEqual((await api.get("/x")).body, OK);
  assert.equal(refreshed, 1);
  using stubborn = apiTo(server, { refreshCredentials: () => refreshed++ });
  await assert.rejects(stubborn.get("/x"), { name: "ApiError", status: 401 });
  assert.equal(refreshed, 2);
  assert.equal(server.requests.length, 4);
});

Deno.test("Api honors Retry-After after a 429, for at most three attempts", async () => {
  let put = 0;
  using server = new ScriptedServer((request, reply) =>
    request.target === "/never" || put++ < 2
      ? reply.json(429, { kind: "Status", message: "too many", reason: "TooManyRequests" }, { "Retry-After": "0" })
      : reply.json(200, OK)
  );
  using api = apiTo(server);
  assert.deepEqual((await api.create("/x", OK)).body, OK);
  assert.equal(server.requests.length, 3);
  await assert.rejects(api.get("/never"), { status: 429 });
  assert.equal(server.requests.length, 6);
});

Deno.test("Api does not retry after a 429 without Retry-After, or with a long one", async () => {
  using server = new ScriptedServer((request, reply) =>
    reply.json(429, { kind: "Status", message: "evict later" }, request.target === "/long" ? { "Retry-After": "600" } : {})
  );
  using api = apiTo(server);
  await assert.rejects(api.get("/without"), { status: 429 });
  await assert.rejects(api.get("/long"), { status: 429 });
  assert.equal(server.requests.length, 2);
});

Deno.test("Api repeats a request whose kept connection was closed without an answer", async () => {
  using server = new ScriptedServer((request, reply) =>
    // The server closes the connection while the second request is being sent.
    request.connection === 1 && request.target === "/second" ? reply.close() : reply.json(200, OK)
  );
  using api = apiTo(server);
  await api.get("/first");
  assert.deepEqual((await api.get("/second")).body, OK);
  assert.deepEqual(server.requests.map((request) => request.connection), [1, 1, 2]);
});

Deno.test("Api marks a refusal if the request was sent twice", async () => {
  let asked = 0;
  using server = new ScriptedServer((_, reply) => {
    if (++asked === 1) return reply.json(200, OK);
    return asked === 2 ? reply.close() : reply.json(404, { kind: "Status", reason: "NotFound", message: "not found" });
  });
  using api = apiTo(server);
  await api.get("/x");
  await assert.rejects(api.delete("/x"), (error) => error instanceof ApiError && error.repeated);
  await assert.rejects(api.delete("/x"), (error) => error instanceof ApiError && !error.repeated);
});

Deno.test("Api reports a connection that fails in the middle of a body without a length as a ConnectionError", async () => {
  using server = new ScriptedServer(() => {});
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() }) as Socket;
  const identity = connectionTo({ host: "127.0.0.1", port: server.port }, {}, "1");
  using api = apiTo(server, {
    connection: () => Promise.resolve({ ...identity, dial: () => Promise.resolve(new SocketConnection(socket)) }),
  });
  const answer = assert.rejects(api.get("/x"), { name: "ConnectionError", kind: "reset", message: /in the middle of the response/ });
  socket.push("HTTP/1.1 200 OK\r\n\r\n{");
  setTimeout(() => socket.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })), 20);
  await answer;
});

Deno.test("Api does not repeat a POST, which could create an object twice", async () => {
  using server = new ScriptedServer((request, reply) => request.method === "POST" ? reply.close() : reply.json(200, OK));
  using api = apiTo(server);
  await api.get("/first");
  await assert.rejects(api.create("/second", OK), { name: "ConnectionError", kind: "reset" });
  assert.equal(server.requests.length, 2);
});

Deno.test("Api does not repeat a request on a fresh connection, or after a part of the answer", async () => {
  using server = new ScriptedServer(async (request, reply) => {
    if (request.target === "/ok") return await reply.json(200, OK);
    if (request.target === "/half-head") await reply.write("HTTP/1.1 200 O");
    if (request.target === "/partial") await reply.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
    reply.close();
  });
  using api = apiTo(server);
  await assert.rejects(api.get("/closed"), { name: "ConnectionError", kind: "reset" });
  assert.equal(server.requests.length, 1);
  for (const path of ["/half-head", "/partial"]) {
    await api.get("/ok");
    await assert.rejects(api.get(path), { name: "ConnectionError", kind: "reset" });
  }
  assert.equal(server.requests.length, 5);
});

Deno.test("Api does not use a connection that was closed while it was idle", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  using api = apiTo(server);
  await api.get("/first");
  server.closeConnections();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual((await api.create("/second", OK)).body, OK);
  assert.equal(server.requests.length, 2);
});

Deno.test("Api ends a request that is not answered in time, and closes its connection", async () => {
  using server = new ScriptedServer(() => {});
  using api = apiTo(server);
  const start = performance.now();
  await assert.rejects(api.get("/x", { timeoutMs: 100 }), { name: "ConnectionError", kind: "timeout" });
  assert.ok(performance.now() - start < 2_000);
  await server.allClosed();
});

Deno.test("Api ends a request whose body stops in the middle", async () => {
  using server = new ScriptedServer((_, reply) => reply.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"));
  using api = apiTo(server);
  await assert.rejects(api.get("/x", { timeoutMs: 100 }), { name: "ConnectionError", kind: "timeout" });
  await server.allClosed();
});

Deno.test("Api ends a request by its signal, before it starts and while it is under way", async () => {
  const controller = new AbortController();
  using server = new ScriptedServer(() => controller.abort(new Error("Ctrl+C")));
  using api = apiTo(server);
  const pending = api.get("/x", { signal: controller.signal });
  await assert.rejects(pending, (error: ConnectionError) => {
    assert.equal(error.kind, "aborted");
    assert.equal((error.cause as Error).message, "Ctrl+C");
    return true;
  });
  await server.allClosed();
  await assert.rejects(api.get("/x", { signal: controller.signal }), { kind: "aborted" });
  assert.equal(server.connections, 1);
});

Deno.test("Api's errors do not contain the token", async () => {
  using server = new ScriptedServer((_, reply) => reply.close());
  using api = apiTo(server);
  await assert.rejects(api.get("/x"), (error: Error) => !Deno.inspect(error, { depth: 10 }).includes("secret"));
});

Deno.test("Api refuses an answer that is not JSON, and one that is not HTTP", async () => {
  using server = new ScriptedServer((request, reply) =>
    request.target === "/html"
      ? reply.write("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n<html>log in please<")
      : reply.write("SSH-2.0-OpenSSH_9.6\r\n\r\n")
  );
  using api = apiTo(server);
  await assert.rejects(api.get("/html"), { name: "ConnectionError", kind: "protocol" });
  await assert.rejects(api.get("/ssh"), { name: "ConnectionError", kind: "protocol" });
});

Deno.test("Api reads a chunked answer wherever it is cut, and reuses the connection", async () => {
  const body = JSON.stringify({ text: "äöü €".repeat(20) });
  const bytes = new TextEncoder().encode(body);
  using server = new ScriptedServer(async (_, reply) => {
    await reply.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (let at = 0; at < bytes.length; at += 7) {
      const part = bytes.subarray(at, at + 7);
      await reply.write(`${part.length.toString(16)};ext=1\r\n`);
      await reply.bytes(part);
      await reply.write("\r");
      await new Promise((resolve) => setTimeout(resolve, 1));
      await reply.write("\n");
    }
    await reply.write("0\r\nTrailer: x\r\n\r\n");
  });
  using api = apiTo(server);
  assert.deepEqual((await api.get("/x")).body, JSON.parse(body));
  assert.deepEqual((await api.get("/x")).body, JSON.parse(body));
  assert.equal(server.connections, 1);
});

Deno.test("Api reads a large answer completely", async () => {
  const items = Array.from({ length: 50_000 }, (_, i) => ({ metadata: { name: `pod-${i}` }, spec: "x".repeat(100) }));
  using server = new ScriptedServer((_, reply) => reply.json(200, { items }));
  using api = apiTo(server);
  const answer = await api.get("/x");
  assert.equal((answer.body as { items: unknown[] }).items.length, 50_000);
});

Deno.test("Api returns the warnings of the API server", async () => {
  const warning = '299 - "would violate \\"restricted:latest\\": größe à", 299 kube "second, with a comma"';
  using server = new ScriptedServer((_, reply) => {
    const head = `HTTP/1.1 201 Created\r\nContent-Length: 2\r\nWarning: ${warning}\r\nWarning: 299 - "third: voilà"\r\n\r\n`;
    return reply.bytes(new TextEncoder().encode(`${head}{}`));
  });
  using api = apiTo(server);
  assert.deepEqual((await api.create("/x", OK)).warnings, [
    'would violate "restricted:latest": größe à',
    "second, with a comma",
    "third: voilà",
  ]);
});

Deno.test("Api.apply() is a server-side apply with kurun's field manager", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  using api = apiTo(server);
  await api.apply("/x", OK);
  await api.apply("/x", OK, { fieldManager: "other", force: true });
  const [first, second] = server.requests;
  assert.equal(first?.method, "PATCH");
  assert.equal(first?.target, "/x?fieldManager=kurun");
  assert.equal(first?.headers["content-type"], "application/apply-patch+yaml");
  assert.deepEqual(JSON.parse(first!.body), OK);
  assert.equal(second?.target, "/x?fieldManager=other&force=true");
});

Deno.test("Api.jsonPatch() sends the steps of a JSON patch, under kurun's name", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  using api = apiTo(server);
  await api.jsonPatch("/x", [{ op: "remove", path: "/spec/a~1b" }]);
  const [request] = server.requests;
  assert.deepEqual([request?.target, request?.headers["content-type"]], ["/x?fieldManager=kurun", "application/json-patch+json"]);
  assert.equal(request?.body, '[{"op":"remove","path":"/spec/a~1b"}]');
});

Deno.test("Api.mergePatch() sends nulls, which remove fields", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  using api = apiTo(server);
  await api.mergePatch("/x", { spec: { activeDeadlineSeconds: null } });
  assert.equal(server.requests[0]?.headers["content-type"], "application/merge-patch+json");
  assert.equal(server.requests[0]?.body, '{"spec":{"activeDeadlineSeconds":null}}');
});

Deno.test("Api.delete() always sends a propagation policy, and its preconditions", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  using api = apiTo(server);
  await api.delete("/x", { uid: "u-1" });
  const [request] = server.requests;
  assert.equal(request?.method, "DELETE");
  assert.deepEqual(JSON.parse(request!.body), {
    apiVersion: "v1",
    kind: "DeleteOptions",
    propagationPolicy: "Background",
    preconditions: { uid: "u-1" },
  });
});

Deno.test("Api.list() reads all pages", async () => {
  using server = new ScriptedServer((request, reply) =>
    request.target.includes("continue=next")
      ? reply.json(200, { items: [{ n: 3 }], metadata: { resourceVersion: "8" } })
      : reply.json(200, { items: [{ n: 1 }, { n: 2 }], metadata: { continue: "next", resourceVersion: "7" } })
  );
  using api = apiTo(server);
  const list = await api.list("/x", { query: { labelSelector: "a=b" } });
  assert.deepEqual(list.items, [{ n: 1 }, { n: 2 }, { n: 3 }]);
  assert.equal(server.requests[1]?.target, "/x?limit=500&labelSelector=a%3Db&continue=next");
});

Deno.test("Api.distrustConnections() stops using open connections, and repeats requests that wait for an answer", async () => {
  using server = new ScriptedServer(({ target, connection }, reply) =>
    target.startsWith("/lost") && connection < 3 ? undefined : reply.json(200, OK)
  );
  using api = apiTo(server);
  await api.get("/a");
  api.distrustConnections();
  const post = api.create("/lost", OK).catch((error: ConnectionError) => error.kind);
  while (server.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  api.distrustConnections();
  assert.equal(await post, "reset");
  assert.deepEqual((await api.get("/b")).body, OK);
  assert.deepEqual(server.requests.map(({ target, connection }) => [target.split("?")[0], connection]), [["/a", 1], ["/lost", 2], [
    "/b",
    3,
  ]]);
});

Deno.test("Api repeats a request that a dead connection swallowed, on a new connection", async () => {
  using server = new ScriptedServer(({ connection }, reply) => connection === 1 ? undefined : reply.json(200, OK));
  using api = apiTo(server);
  const patched = api.mergePatch("/x", OK);
  while (server.requests.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  api.distrustConnections();
  assert.deepEqual((await patched).body, OK);
  assert.deepEqual(server.requests.map(({ method, connection }) => [method, connection]), [["PATCH", 1], ["PATCH", 2]]);
});

Deno.test("Api.watch() yields each event as it arrives, and ends when the server does", async () => {
  using server = new ScriptedServer(async (_, reply) => {
    await reply.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const name of ["a", "b"]) {
      const line = JSON.stringify({ type: "ADDED", object: { metadata: { name } } }) + "\n";
      await reply.write(`${line.length.toString(16)}\r\n${line}\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await reply.write("0\r\n\r\n");
  });
  using api = apiTo(server);
  const seen: string[] = [];
  for await (const event of api.watch<Live>("/pods", { query: { labelSelector: "a=b" } })) {
    if (event.type === "ADDED") seen.push(`${event.type} ${event.object.metadata.name}`);
  }
  assert.deepEqual(seen, ["ADDED a", "ADDED b"]);
  assert.equal(server.requests[0]?.target, "/pods?watch=true&timeoutSeconds=30&labelSelector=a%3Db");
  await api.get("/x").catch(() => {});
  assert.equal(server.connections, 1, "a watch that ended well leaves its connection");
});

Deno.test("Api.watch() closes its connection when its consumer stops", async () => {
  using server = new ScriptedServer((_, reply) =>
    reply.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\n{"type":"ADDED","object":{}}\n  \r\n')
  );
  using api = apiTo(server);
  for await (const _ of api.watch("/pods")) break;
  await server.allClosed();
});

Deno.test("Api.watch() is not limited by the timeout of requests, and ends by its signal", async () => {
  using server = new ScriptedServer((_, reply) => reply.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
  using api = apiTo(server, { requestTimeoutMs: 100 });
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 300);
  const start = performance.now();
  await assert.rejects(async () => {
    for await (const _ of api.watch("/pods", { signal: controller.signal }));
  }, { kind: "aborted" });
  assert.ok(performance.now() - start >= 290);
  await server.allClosed();
});

Deno.test("Api.watch() is limited by the timeout of requests until it is answered", async () => {
  using server = new ScriptedServer(() => {});
  using api = apiTo(server, { requestTimeoutMs: 100 });
  const timeout = { name: "ConnectionError", kind: "timeout", message: /no answer within 0\.1 s$/ };
  await assert.rejects(api.watch("/pods", { signal: AbortSignal.timeout(2_000) }).next(), timeout);
  await server.allClosed();
});

Deno.test("Api.watch() ends by itself if the API server does not end it in time", async () => {
  using server = new ScriptedServer((_, reply) => reply.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
  using api = apiTo(server);
  const start = performance.now();
  await assert.rejects(async () => {
    for await (const _ of api.watch("/pods", { seconds: 1 }));
  }, { name: "ConnectionError", kind: "timeout" });
  assert.ok(performance.now() - start >= 3_900);
  await server.allClosed();
});

Deno.test("Api.watch() reports a line that is not an event as a ConnectionError", async () => {
  using server = new ScriptedServer((_, reply) => reply.write("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n<html>\n"));
  using api = apiTo(server);
  await assert.rejects(api.watch("/pods").next(), { name: "ConnectionError", kind: "protocol" });
});

Deno.test("Api.watch() throws if it is refused or its connection breaks", async () => {
  using server = new ScriptedServer(async (request, reply) => {
    if (request.target.startsWith("/forbidden")) return reply.json(403, { kind: "Status", message: "no", reason: "Forbidden" });
    await reply.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\n{"type":"ADDED","object":{}}\n  \r\n');
    reply.close();
  });
  using api = apiTo(server);
  const count = async (path: string) => {
    let events = 0;
    try {
      for await (const _ of api.watch(path)) events++;
    } catch (error) {
      return { events, error: error as Error };
    }
    return { events, error: undefined };
  };
  assert.equal((await count("/forbidden")).error?.name, "ApiError");
  const broken = await count("/pods");
  assert.equal(broken.events, 1);
  assert.equal((broken.error as ConnectionError).kind, "reset");
});

Deno.test("Api does not count the time to obtain credentials, which may be a login", async () => {
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  const connection = async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return connectionTo({ host: "127.0.0.1", port: server.port }, {}, "1");
  };
  using api = apiTo(server, { connection });
  assert.deepEqual((await api.get("/x", { timeoutMs: 200 })).body, OK);
});

Deno.test("Api opens a new connection when the client's certificate has changed", async () => {
  let identity = "1";
  using server = new ScriptedServer((_, reply) => reply.json(200, OK));
  using api = apiTo(server, {
    connection: () => Promise.resolve(connectionTo({ host: "127.0.0.1", port: server.port }, {}, identity)),
  });
  await api.get("/x");
  identity = "2";
  await api.get("/x");
  assert.equal(server.connections, 2);
});
