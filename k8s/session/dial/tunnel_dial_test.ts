import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import { TlsServer } from "../../../tests/tls_server.ts";
import type { Transport } from "../../../tunnel/mod.ts";
import { ApiError } from "../../api/api_error.ts";
import { type ClusterAccess, connectionTo } from "../../api/cluster_access.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import { certificateAuthority } from "../../../tests/certificate_authority.ts";
import { FORWARD_PLAN } from "../../../tests/forward_plan.ts";
import { IdleConnections } from "../../api/http1.ts";
import { dialByService } from "./tunnel_dial.ts";

const ca = await certificateAuthority({ commonName: "test-ca", days: 10, now: new Date() });
const certificate = await ca.issue({ names: ["127.0.0.1"], days: 10, now: new Date() });

function access(port: number, tls: boolean): ClusterAccess {
  const target = { host: "127.0.0.1", port, ...(tls ? { tls: { ca: ca.certPem } } : {}) };
  return {
    server: new URL(`${tls ? "https" : "http"}://127.0.0.1:${port}/under/`),
    connection: () => Promise.resolve(connectionTo(target, { Authorization: "Bearer t", "Impersonate-Group": ["a", "b"] }, "1")),
  } as unknown as ClusterAccess;
}

function dialRefused(access: ClusterAccess, refused: IdleConnections, signal: AbortSignal): Promise<Transport> {
  return dialByService({ access, plan: { ...FORWARD_PLAN, namespace: "ns" }, refused }, signal);
}

async function dial(port: number, tls = false, signal = AbortSignal.timeout(10_000)): Promise<Transport> {
  return await dialRefused(access(port, tls), new IdleConnections(), signal);
}

/** Sends a message and waits for it to come back. */
async function echo(transport: Transport): Promise<void> {
  const back = Promise.withResolvers<number>();
  let received = 0;
  transport.onmessage = (part, last) => {
    received += part.length;
    if (last) back.resolve(received);
  };
  // A TLS server on Deno 2.6 loses what is beyond 64 KiB of a write.
  transport.send(new Uint8Array(60_000));
  assert.equal(await back.promise, 60_000);
  const ended = new Promise((resolve) => transport.onclose = resolve);
  transport.close(1000, "over");
  await ended;
}

Deno.test("a tunnel is opened over TLS, and carries messages both ways", async () => {
  await using server = await TlsServer.listen({ certificate });
  await echo(await dial(server.port, true));
});

Deno.test("a tunnel is opened without TLS, at the path and with the headers that it needs", async () => {
  const webSockets = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  let asked: IncomingMessage | undefined;
  webSockets.on("connection", (socket, request) => {
    asked = request;
    socket.on("message", (data: Buffer) => socket.send(data));
  });
  await new Promise((resolve) => webSockets.once("listening", resolve));
  await echo(await dial((webSockets.address() as AddressInfo).port));
  assert.equal(asked?.url, "/under/api/v1/namespaces/ns/services/https:web-kurun:8333/proxy/tunnel");
  assert.equal(asked?.headers.authorization, "Bearer t");
  assert.equal(asked?.headers["impersonate-group"], "a, b");
  assert.equal(asked?.headers["sec-websocket-protocol"], "kurun.v1");
  await new Promise((resolve) => webSockets.close(resolve));
});

/** Answers one connection with these bytes. */
async function answering(answer: string, run: (port: number) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    const conn = await listener.accept();
    await conn.read(new Uint8Array(4096));
    await conn.write(new TextEncoder().encode(answer));
    conn.close();
  })();
  await run(listener.addr.port);
  await served;
}

Deno.test("an answer that is not a WebSocket is the API server's error, whole or in chunks", async () => {
  const status = JSON.stringify({ kind: "Status", apiVersion: "v1", message: "services is forbidden", reason: "Forbidden", code: 403 });
  const chunks = `${status.length.toString(16)}\r\n${status}\r\n0\r\n\r\n`;
  for (
    const rest of [`Content-Length: ${status.length}\r\n\r\n${status}`, `Transfer-Encoding: chunked\r\n\r\n${chunks}`, `\r\n${status}`]
  ) {
    await answering(`HTTP/1.1 403 Forbidden\r\n${rest}`, async (port) => {
      await assert.rejects(
        dial(port),
        (error) => error instanceof ApiError && error.status === 403 && /services is forbidden/.test(error.message),
      );
    });
  }
});

Deno.test("a dial that is refused leaves its connection to the next one", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    using conn = await listener.accept();
    for (const _ of [1, 2]) {
      await conn.read(new Uint8Array(4096));
      await conn.write(new TextEncoder().encode("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nwait"));
    }
  })();
  const refused = new IdleConnections();
  for (const _ of [1, 2]) {
    await assert.rejects(
      dialRefused(
        { ...access(listener.addr.port, false), server: new URL(`http://127.0.0.1:${listener.addr.port}`) },
        refused,
        AbortSignal.timeout(2_000),
      ),
      (error) => error instanceof ApiError && error.status === 503,
    );
  }
  await served;
  refused.close();
});

Deno.test("an answer that is not HTTP, or none, or another WebSocket is a connection error", async () => {
  for (
    const answer of [
      "SSH-2.0-OpenSSH\r\n\r\n",
      "",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
    ]
  ) {
    await answering(answer, async (port) => {
      await assert.rejects(dial(port), (error) => error instanceof ConnectionError && error.kind === "protocol");
    });
  }
});

Deno.test("a dial ends by its signal while the answer is awaited", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  await assert.rejects(dial(listener.addr.port, false, AbortSignal.timeout(100)));
  (await accepted).close();
});
