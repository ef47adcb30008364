import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { relay } from "./connection.ts";
import { SocketConnection } from "./socket_connection.ts";

/** Two joined sockets on loopback, each as a connection. */
async function socketPair(): Promise<
  { near: SocketConnection; far: SocketConnection; farSocket: Socket; server: Server; nearSocket: Socket }
> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const nearSocket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  const farSocket = await accepted;
  server.close();
  return { near: new SocketConnection(nearSocket), far: new SocketConnection(farSocket), farSocket, server, nearSocket };
}

async function readAll(connection: SocketConnection): Promise<number> {
  let total = 0;
  for (let bytes = await connection.read(); bytes !== null; bytes = await connection.read()) total += bytes.length;
  return total;
}

/** Sockets of node:net have neither half-close nor reset before Deno 2.8; only the server uses them, on the image's Deno. */
function socketTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: Number(Deno.version.deno.split(".")[1]) < 8 });
}

socketTest("a socket carries bytes both ways and each direction ends by itself", async () => {
  const { near, far } = await socketPair();
  near.write(new TextEncoder().encode("ask"));
  near.closeWrite();
  assert.equal(await readAll(far), 3);
  far.write(new TextEncoder().encode("answer"));
  far.closeWrite();
  assert.equal(await readAll(near), 6);
});

socketTest("a socket whose peer does not read makes the writer wait, and reads no more than was asked for", async () => {
  const { near, far } = await socketPair();
  let written = 0;
  let waits = false;
  while (!waits && written < 64 * 1024 * 1024) {
    const taken = near.write(new Uint8Array(64 * 1024));
    written += 64 * 1024;
    if (taken) waits = await Promise.race([taken.then(() => false), new Promise<boolean>((resolve) => setTimeout(resolve, 200, true))]);
  }
  assert.ok(waits, "the writer should have had to wait");
  near.closeWrite();
  assert.equal(await readAll(far), written);
  far.closeWrite();
  await readAll(near);
});

socketTest("a small write is waited for only once much of what was written has not left", async () => {
  const { near, far } = await socketPair();
  assert.equal(near.write(new Uint8Array(1_000)), undefined);
  let written = 1_000;
  let waited: Promise<void> | void = undefined;
  for (; !waited && written < 64 * 1024 * 1024; written += 1_000) waited = near.write(new Uint8Array(1_000));
  assert.ok(waited, "a writer should have to wait for a peer that does not read");
  near.closeWrite();
  assert.equal(await readAll(far), written);
  await waited;
  far.closeWrite();
  await readAll(near);
});

socketTest("a relay joins two connections until both directions have ended", async () => {
  const [a, b] = [await socketPair(), await socketPair()];
  const joined = relay(a.far, b.near);
  a.near.write(new Uint8Array(1_000_000));
  a.near.closeWrite();
  assert.equal(await readAll(b.far), 1_000_000);
  b.far.write(new Uint8Array(10));
  b.far.closeWrite();
  assert.equal(await readAll(a.near), 10);
  assert.deepEqual(await joined, { forth: 1_000_000, back: 10 });
});

socketTest("when one side of a relay breaks, the other is reset too", async () => {
  const [a, b] = [await socketPair(), await socketPair()];
  const joined = relay(a.far, b.near);
  a.near.write(new Uint8Array(10));
  await b.far.read();
  b.far.reset();
  await assert.rejects(a.near.read(), /ECONNRESET|reset/i);
  assert.match(String((await joined).error), /reset/i);
});

socketTest("a reset reaches the peer as a reset, not as an end", async () => {
  const { near, far } = await socketPair();
  near.write(new Uint8Array(3));
  await far.read();
  far.reset();
  await assert.rejects(near.read(), /ECONNRESET|reset/i);
});
