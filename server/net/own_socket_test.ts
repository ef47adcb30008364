import assert from "node:assert/strict";
import { NativeConnection } from "../../tunnel/mod.ts";
import type { OwnSocket } from "./own_socket.ts";
import { OwnSockets } from "./own_sockets.ts";

const sockets = new OwnSockets();

/** A connection that was accepted, over either protocol of IP, and its peer. */
async function accepted(hostname = "127.0.0.1"): Promise<{ socket: Deno.TcpConn; file: OwnSocket; peer: Deno.TcpConn }> {
  using listener = Deno.listen({ hostname: "::", port: 0 });
  const peer = await Deno.connect({ hostname, port: listener.addr.port });
  const socket = await listener.accept();
  const file = sockets.take(socket);
  assert.ok(file);
  return { socket, file, peer };
}

function linuxTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: Deno.build.os !== "linux" });
}

linuxTest("a number is never used after its release, when it may be another connection's", async () => {
  const one = await accepted();
  const bytes = new Uint8Array([1, 2, 3]);
  assert.equal(one.file.send(bytes), 3);
  const connection = new NativeConnection(one.socket, {
    sendNow: (bytes) => one.file.send(bytes),
    cut: () => one.file.reset(),
    closing: () => one.file.release(),
  });
  connection.reset();
  one.peer.close();
  // The numbers that are free are used again.
  const others = await Promise.all(Array.from({ length: 5 }, () => accepted()));
  await assert.rejects(async () => await connection.writeSmall(bytes));
  assert.deepEqual([one.file.send(bytes), one.file.look()], [0, "gone"]);
  one.file.reset();
  for (const { socket, file, peer } of others) {
    assert.equal(file.send(new Uint8Array([7])), 1);
    const received = new Uint8Array(8);
    assert.deepEqual([await peer.read(received), received[0]], [1, 7]);
    file.release();
    socket.close();
    peer.close();
  }
});

linuxTest("each of many connections is found, over IPv4 and IPv6", async () => {
  const many: Awaited<ReturnType<typeof accepted>>[] = [];
  for (let i = 0; i < 100; i++) many.push(await accepted(i % 2 ? "::1" : "127.0.0.1"));
  for (const [i, { file }] of many.entries()) file.send(new Uint8Array([i]));
  for (const [i, { socket, file, peer }] of many.entries()) {
    const received = new Uint8Array(2);
    assert.deepEqual([await peer.read(received), received[0]], [1, i]);
    file.release();
    socket.close();
    peer.close();
  }
});

linuxTest("what is sent without waiting and what has to wait arrive in order", async () => {
  const { socket, file, peer } = await accepted();
  const connection = new NativeConnection(socket, { sendNow: (bytes) => file.send(bytes), closing: () => file.release() });
  const piece = new Uint8Array(3_000);
  let waits: Promise<void> | undefined;
  let pieces = 0;
  while (!waits) {
    piece.fill(pieces++);
    waits = connection.writeSmall(piece) ?? undefined;
    // What was given belongs to the caller again.
    piece.fill(255);
  }
  const last = connection.write(new Uint8Array(3_000).fill(pieces++));
  const all = new Uint8Array(pieces * 3_000);
  for (let at = 0; at < all.length;) at += await peer.read(all.subarray(at)) ?? 0;
  await Promise.all([waits, last]);
  for (let i = 0; i < pieces; i++) assert.ok(all.subarray(i * 3_000, (i + 1) * 3_000).every((byte) => byte === i % 256), `piece ${i}`);
  peer.close();
  connection.reset();
});

linuxTest("a reset reaches the peer as one, also while a write waits", async () => {
  const { socket, file, peer } = await accepted();
  const connection = new NativeConnection(socket, { cut: () => file.reset(), closing: () => file.release() });
  const waits = assert.rejects(connection.write(new Uint8Array(64 * 1024 * 1024)));
  assert.ok(await peer.read(new Uint8Array(1)));
  connection.reset();
  await waits;
  const rest = new Uint8Array(1024 * 1024);
  await assert.rejects(async () => {
    while (await peer.read(rest) !== null);
  }, Deno.errors.ConnectionReset);
  peer.close();
});

linuxTest("whether a caller has sent anything or has gone is seen without reading it", async () => {
  const { socket, file, peer } = await accepted();
  assert.equal(file.look(), "silent");
  await peer.write(new Uint8Array(5));
  while (file.look() === "silent") await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(file.look(), "sent");
  assert.equal(await socket.read(new Uint8Array(9)), 5);
  peer.closeWrite();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(file.look(), "silent", "the end of one direction");
  const other = sockets.take({ remoteAddr: peer.remoteAddr, localAddr: peer.localAddr });
  other?.reset();
  while (file.look() === "silent") await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(file.look(), "gone");
  for (const taken of [file, other]) taken?.release();
  socket.close();
  peer.close();
});
