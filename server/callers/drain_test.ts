import assert from "node:assert/strict";
import { startGoCaller } from "../../tests/go_caller.ts";
import { serverProcessTest } from "../../tests/server_process.ts";

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: kurun\r\n\r\n`;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

serverProcessTest(
  "a server that is being stopped answers open requests, serves new callers for a while, and ends when the last has gone",
  async (server) => {
    const client = await server.connect();
    const stream = server.call().send(get("/stream"));
    await stream.receive(/abc/);
    const idle = server.call().send(get("/idle"));
    await idle.receive(/\/idle$/);
    const busy = server.call().send(get("/slow?500"));
    await client.waitFor(/slow/);
    const since = performance.now();
    server.process.signal("SIGTERM");
    await client.waitFor(/^go-away$/m);
    await busy.receive(/\/slow\?500$/);
    // Behind the answer, at a moment when the caller cannot have begun another request.
    assert.ok(await busy.ended() < 100);
    assert.equal(busy.end, "ended");
    const other = server.call().send(get("/new"));
    await other.receive(/\/new$/);
    await other.ended();
    const refused = await fetchStatus(server.controlPort);
    assert.equal(refused, 503);
    await idle.ended();
    assert.equal(idle.end, "ended");
    assert.ok(performance.now() - since > 1_500, "an idle connection may be used as long as callers are accepted");
    const late = server.call();
    await late.ended();
    assert.equal(late.end, "refused");
    await stream.receive(/\r\n0\r\n\r\n$/);
    assert.equal(await server.process.exit, 0);
    const ms = performance.now() - since;
    assert.ok(ms < 5_000, `it ended after ${ms} ms`);
    await client.waitFor(/^ended 4003$/m);
  },
);

serverProcessTest(
  "callers are served as long as new ones arrive, for 8 s at most, and the server ends a second after the last",
  async (server) => {
    await server.connect();
    const since = performance.now();
    server.process.signal("SIGTERM");
    while (performance.now() - since < 4_000) {
      await server.call().send(get("/new")).receive(/\/new$/);
      await pause(50);
    }
    assert.equal(await server.process.exit, 0);
    const ms = performance.now() - since;
    assert.ok(ms > 4_900 && ms < 6_500, `${ms} ms`);
  },
);

serverProcessTest("whatever is open after 8 s is cut: a 503 before an answer's first byte, a reset after it", async (server) => {
  const client = await server.connect();
  const never = server.call().send(get("/never"));
  const half = server.call().send(get("/half"));
  await half.receive(/half$/);
  await client.waitFor(/never/);
  const since = performance.now();
  server.process.signal("SIGTERM");
  const { ms } = await never.receive(/^HTTP\/1\.1 503 [^]*may have been delivered/);
  assert.ok(ms > 7_500 && ms < 8_500, `${ms} ms`);
  await half.ended();
  assert.equal(half.end, "reset");
  assert.equal(await server.process.exit, 0);
  assert.ok(performance.now() - since < 9_500, "the Pod's grace is 10 s");
});

serverProcessTest(
  "a caller that waits for a client when the server is stopped gets a 503 immediately, because no client will connect to this Pod",
  async (server) => {
    const caller = server.call().send(get("/x"));
    await pause(300);
    server.process.signal("SIGTERM");
    const { ms } = await caller.receive(/^HTTP\/1\.1 503 /);
    assert.ok(ms < 500, `${ms} ms`);
    const next = await server.call().send(get("/y")).receive(/^HTTP\/1\.1 503 /);
    assert.ok(next.ms < 500, `${next.ms} ms`);
    assert.equal(await server.process.exit, 0);
  },
);

serverProcessTest("Go callers with kept-alive connections see no error while the server is being stopped", async (server) => {
  await server.connect();
  const callers = await startGoCaller("post", `http://127.0.0.1:${server.port}/slow?5`, "8");
  await pause(500);
  server.process.signal("SIGTERM");
  await pause(1_500);
  await callers.stdin.close();
  const output = new TextDecoder().decode((await callers.output()).stdout);
  assert.match(output, /^\d{3,} posted\n$/);
});

/** The status of a WebSocket's dial to the control port. */
async function fetchStatus(port: number): Promise<number> {
  const { request } = await import("node:https");
  return await new Promise((resolve, reject) => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": btoa("x".repeat(16)),
    };
    const asking = request({ port, host: "127.0.0.1", path: "/tunnel", rejectUnauthorized: false, headers });
    asking.on("response", (response) => resolve((response.resume(), response.statusCode ?? 0)));
    asking.on("upgrade", (_response, socket) => (socket.destroy(), resolve(101)));
    asking.on("error", reject);
    asking.end();
  });
}
