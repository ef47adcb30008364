import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ConnectProxy } from "../../tests/connect_proxy.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { TlsServer } from "../../tests/tls_server.ts";
import { certificateAuthority } from "../../tests/certificate_authority.ts";
import { WebSocketTransport } from "../../tunnel/web_socket/web_socket_transport.ts";
import { requestWebSocket } from "../session/dial/web_socket_request.ts";
import { ConnectionError } from "./connection_error.ts";
import { dial, type DialedConnection } from "./dial.ts";
import type { DialTarget } from "./dial_route.ts";
import { HttpConnection } from "./http1.ts";

const now = new Date();
const DAY_MS = 24 * 60 * 60 * 1000;
const ca = await certificateAuthority({ commonName: "test-ca", days: 10, now });
const otherCa = await certificateAuthority({ commonName: "other-ca", days: 10, now });
const certificate = await ca.issue({ names: ["localhost", "127.0.0.1", "::1"], days: 10, now });
const named = await ca.issue({ names: ["kube.example"], days: 10, now });
const expired = await ca.issue({ names: ["127.0.0.1"], days: 10, now: new Date(now.getTime() - 20 * DAY_MS) });
const early = await ca.issue({ names: ["127.0.0.1"], days: 10, now: new Date(now.getTime() + 20 * DAY_MS) });
const jane = await ca.issue({ names: [], days: 10, now, usage: "client", commonName: "jane", organization: "devs" });
const trust = { ca: ca.certPem };
const OLD_DENO = /^2\.[0-7]\./.test(Deno.version.deno);

/** Sends a request to a target. @returns what the server says about its client */
async function ask(target: DialTarget): Promise<{ client?: string; group?: string; url: string }> {
  const connection = new HttpConnection(await dial(target, { timeoutMs: 5_000 }));
  try {
    const response = await connection.send({ method: "GET", target: "/x", headers: { Host: "test" } });
    const parts: Uint8Array[] = [];
    for await (const part of response.body) parts.push(part);
    return JSON.parse(Buffer.concat(parts).toString());
  } finally {
    connection.destroy();
  }
}

/** Sends one message over a WebSocket. @returns the echo */
async function echo(target: DialTarget, message: string): Promise<string> {
  const connection = new HttpConnection(await dial(target, { webSocket: true }));
  const request = { host: target.host, target: "/", headers: {}, protocol: "test" };
  const webSocket = await requestWebSocket(connection, request, AbortSignal.timeout(5_000));
  const transport = new WebSocketTransport(webSocket, { role: "client", limits: { messageBytes: 1_000_000, fragments: 1 } });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = "";
  transport.onmessage = (part, last) => {
    answer += new TextDecoder().decode(part);
    if (last) resolve(answer);
  };
  transport.onclose = ({ reason }) => reject(new Error(reason));
  transport.send(new TextEncoder().encode(message));
  return await promise.finally(() => transport.close(1000, ""));
}

async function failure(target: DialTarget, options?: Parameters<typeof dial>[1]): Promise<ConnectionError> {
  let connection: DialedConnection;
  try {
    connection = await dial(target, options);
  } catch (error) {
    assert.ok(error instanceof ConnectionError, String(error));
    return error;
  }
  connection.reset();
  assert.fail("the connection was made");
}

Deno.test("dial() trusts only the given authority", async () => {
  await using server = await TlsServer.listen({ certificate });
  const target = { host: "127.0.0.1", port: server.port };
  assert.equal((await ask({ ...target, tls: trust })).url, "/x");
  for (const tls of [{ ca: otherCa.certPem }, {}]) {
    const error = await failure({ ...target, tls });
    assert.equal(error.kind, "tls-untrusted");
    assert.equal(error.certificate?.issuer, "test-ca");
    assert.equal(error.address, `127.0.0.1:${server.port}`);
  }
});

Deno.test("dial() verifies the certificate against the host, or against the server name", async () => {
  await using server = await TlsServer.listen({ certificate: named });
  const target = { host: "127.0.0.1", port: server.port };
  const error = await failure({ ...target, tls: trust });
  assert.equal(error.kind, "tls-name");
  assert.deepEqual(error.certificate?.names, ["kube.example"]);
  assert.equal((await ask({ ...target, tls: { ...trust, serverName: "kube.example" } })).url, "/x");
  assert.equal((await failure({ ...target, tls: { ...trust, serverName: "other.example" } })).kind, "tls-name");
});

Deno.test("dial() accepts an address as the server name", async () => {
  await using server = await TlsServer.listen({ certificate });
  const tls = { ...trust, serverName: "::1" };
  assert.equal((await ask({ host: "127.0.0.1", port: server.port, tls })).url, "/x");
});

Deno.test("dial() distinguishes an expired certificate and one that is not valid yet from an untrusted one", async () => {
  for (const certificate of [expired, early]) {
    await using server = await TlsServer.listen({ certificate });
    assert.equal((await failure({ host: "127.0.0.1", port: server.port, tls: trust })).kind, "tls-expired");
  }
});

Deno.test("dial() accepts any certificate if told to", async () => {
  for (const certificate of [named, expired]) {
    await using server = await TlsServer.listen({ certificate });
    const target = { host: "127.0.0.1", port: server.port, tls: { insecure: true } };
    assert.equal((await ask(target)).url, "/x");
    assert.equal(await echo(target, "hi"), "hi");
  }
});

// A server on Deno 2.6 cannot request certificates.
Deno.test("dial() sends the client's certificate", { ignore: OLD_DENO }, async () => {
  await using server = await TlsServer.listen({ certificate, clientCa: ca.certPem });
  const target = { host: "127.0.0.1", port: server.port };
  const tls = { ...trust, cert: jane.certPem, key: jane.keyPem };
  const answer = await ask({ ...target, tls });
  assert.deepEqual([answer.client, answer.group], ["jane", "devs"]);
  assert.equal(await echo({ ...target, tls }, "hi"), "hi");
  await assert.rejects(ask({ ...target, tls: trust }), /CertificateRequired/);
});

for (const scheme of ["http", "socks5"]) {
  Deno.test(`dial() uses an ${scheme} proxy for requests and WebSockets, with and without TLS; the proxy resolves names`, async () => {
    await using server = await TlsServer.listen({ certificate: named });
    using plain = new ScriptedServer((_, reply) => reply.json(200, { url: "/plain" }));
    using proxy = new ConnectProxy({ credentials: "jane:p w", resolve: () => "127.0.0.1" });
    const through = { proxy: new URL(`${scheme}://jane:p%20w@127.0.0.1:${proxy.port}`) };
    const target = { host: "kube.example", port: server.port, tls: trust, ...through };
    assert.equal((await ask(target)).url, "/x");
    // As a server, node:tls of Deno 2.6 sends no more than 64 KiB.
    const long = "x".repeat(OLD_DENO ? 60_000 : 300_000);
    assert.equal(await echo(target, long), long);
    assert.equal((await ask({ host: "plain.example", port: plain.port, ...through })).url, "/plain");
    assert.deepEqual(proxy.asked, [`kube.example:${server.port}`, `kube.example:${server.port}`, `plain.example:${plain.port}`]);
  });
}

Deno.test("dial() asks a SOCKS proxy for addresses as they are", async () => {
  using plain = new ScriptedServer((_, reply) => reply.json(200, { url: "/plain" }));
  using proxy = new ConnectProxy({ resolve: () => "127.0.0.1" });
  const hosts = ["127.0.0.9", "::1", "2001:db8::7:0:8", "::ffff:1.2.3.4", "fe80:1:2:3:4:5:6:7", "1::"];
  const seen = hosts.map((host) => `${host === "::ffff:1.2.3.4" ? "::ffff:102:304" : host}:${plain.port}`);
  for (const host of hosts) await ask({ host, port: plain.port, proxy: new URL(`socks5h://127.0.0.1:${proxy.port}`) });
  assert.deepEqual(proxy.asked, seen);
});

Deno.test("dial() speaks TLS with an https:// proxy, and verifies it with the cluster's authority", async () => {
  await using server = await TlsServer.listen({ certificate: named });
  using proxy = new ConnectProxy({ tls: certificate, resolve: () => "127.0.0.1" });
  const target = { host: "kube.example", port: server.port, proxy: new URL(`https://127.0.0.1:${proxy.port}`) };
  for (const tls of [{ ca: otherCa.certPem }, {}]) {
    const error = await failure({ ...target, tls });
    assert.equal(error.kind, "proxy");
    assert.match(error.message, OLD_DENO ? /Deno 2\.8/ : /unable to verify/);
  }
  assert.deepEqual(proxy.asked, []);
  if (!OLD_DENO) assert.equal((await ask({ ...target, tls: trust })).url, "/x");
});

Deno.test("dial() verifies a server behind a proxy like one without a proxy", async () => {
  await using server = await TlsServer.listen({ certificate });
  using proxy = new ConnectProxy();
  const target = { host: "127.0.0.1", port: server.port, proxy: new URL(`http://127.0.0.1:${proxy.port}`) };
  const error = await failure({ ...target, tls: { ca: otherCa.certPem } });
  assert.equal(error.kind, "tls-untrusted");
  assert.equal(error.proxy, `http://127.0.0.1:${proxy.port}`);
  assert.ok(proxy.asked.length > 0);
});

Deno.test("dial() reports the proxy's answer, without the password", async () => {
  using proxy = new ConnectProxy({ credentials: "jane:right" });
  const answers = {
    "http://jane:wrong@": /407 Proxy Authentication Required/,
    "socks5://jane:wrong@": /refused the user and the password/,
    "socks5://": /wants a user and a password/,
  };
  for (const [start, answer] of Object.entries(answers)) {
    const error = await failure({ host: "kube.example", port: 6443, tls: trust, proxy: new URL(`${start}127.0.0.1:${proxy.port}`) });
    assert.equal(error.kind, "proxy");
    assert.match(error.message, answer);
    assert.ok(!Deno.inspect(error, { depth: 10 }).includes("wrong"));
  }
});

Deno.test("dial() blames the proxy if that cannot be reached", async () => {
  const port = closedPort();
  const error = await failure({ host: "kube.example", port: 6443, tls: trust, proxy: new URL(`http://127.0.0.1:${port}`) });
  assert.equal(error.kind, "proxy");
  assert.match(error.message, /ECONNREFUSED/);
});

Deno.test("dial() distinguishes a closed port, an unknown name, and a server without TLS", async () => {
  assert.equal((await failure({ host: "127.0.0.1", port: closedPort(), tls: trust })).kind, "refused");
  assert.equal((await failure({ host: "no-such-host.invalid", port: 6443, tls: trust })).kind, "dns");
  using plain = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answered = plain.accept().then(async (conn) => {
    await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    conn.close();
  });
  assert.equal((await failure({ host: "127.0.0.1", port: plain.addr.port, tls: trust })).kind, "tls");
  await answered;
});

Deno.test("dial() ends in time or by its signal, and closes everything", async () => {
  using silent = new ScriptedServer(() => {});
  const target = { host: "127.0.0.1", port: silent.port, tls: trust };
  assert.equal((await failure(target, { timeoutMs: 100 })).kind, "timeout");
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  assert.equal((await failure(target, { signal: controller.signal })).kind, "aborted");
  assert.equal((await failure(target, { signal: controller.signal })).kind, "aborted");
  // Deno 2.6 closes a connection only once its TLS handshake has ended.
  if (OLD_DENO) silent.closeConnections();
  await silent.allClosed();
  if (OLD_DENO) await new Promise((resolve) => setTimeout(resolve, 50));
});

Deno.test("dial() reaches IPv4, IPv6 and localhost", async () => {
  for (const hostname of ["127.0.0.1", "::1"]) {
    await using server = await TlsServer.listen({ certificate, hostname });
    assert.equal((await ask({ host: hostname, port: server.port, tls: trust })).url, "/x");
  }
  await using server = await TlsServer.listen({ certificate });
  assert.equal((await ask({ host: "localhost", port: server.port, tls: trust })).url, "/x");
});

Deno.test("bytes that arrive in many TLS records before somebody reads them are delivered once and in order", async () => {
  const sent = new Uint8Array(600_000).map((_, at) => Math.imul(at, 2654435761) >>> 13);
  const settings = { hostname: "127.0.0.1", port: 0, cert: certificate.certPem, key: certificate.keyPem };
  using listener = Deno.listenTls(settings);
  const serving = (async () => {
    const conn = await listener.accept();
    for (let at = 0, record = 1; at < sent.length; record = record % 13 + 1) {
      for (const end = at + 1186 * record; at < Math.min(end, sent.length);) at += await conn.write(sent.subarray(at, end));
      if (record % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return conn;
  })();
  const connection = await dial({ host: "127.0.0.1", port: listener.addr.port, tls: trust });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const received: Uint8Array[] = [];
  for (let size = 0; size < sent.length; size += received.at(-1)!.length) received.push((await connection.read())!.slice());
  connection.reset();
  (await serving).close();
  assert.ok(Buffer.concat(received).equals(sent));
});

Deno.test("a WebSocket reports why its connection failed", async () => {
  await using server = await TlsServer.listen({ certificate });
  const target = { host: "127.0.0.1", port: server.port };
  assert.equal(await echo({ ...target, tls: trust }, "hello"), "hello");
  await assert.rejects(echo({ ...target, tls: { ca: otherCa.certPem } }, "hello"), { name: "ConnectionError", kind: "tls-untrusted" });
});

function closedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
