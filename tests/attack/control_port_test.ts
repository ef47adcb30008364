/** Hostile clients of the server's control port, without the key and with it (a stolen laptop). */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { connect as connectSecure } from "node:tls";
// @ts-types="@types/ws"
import type WebSocket from "ws";
import { Flag, FrameType, HEADER_BYTES, writeHeader } from "../../tunnel/frame.ts";
import { answering, attack, attackTest, Caller, client, openWebSocket, pause, prove, ServerProcess } from "./server_process.ts";

attackTest(
  "a flood of connections from another address does not keep a distant client out, and no unproven connection stays open for long",
  async () => {
    await using server = await ServerProcess.start();
    const slow = [attack(server.control), attack(server.control, new Uint8Array([22, 3, 1, 2, 0]))];
    const inTls = secure(server, "127.0.0.67");
    inTls.write("GET / HTTP/1.1\r\nX: ");
    const dripping = setInterval(() => inTls.write("a"), 200);
    const cut = Promise.all([...slow, inTls].map((socket) => new Promise((resolve) => socket.resume().once("close", resolve))));
    const started = performance.now();
    let flooding = true;
    let flooded = 0;
    const flood = async () => {
      for (; flooding; flooded++) {
        const socket = secure(server, "127.0.0.66");
        await new Promise((resolve) => socket.once("secureConnect", resolve).once("close", resolve));
      }
    };
    const floods = [flood(), flood(), flood()];
    while (flooded < 30) await pause(10);
    for (let i = 0; i < 3; i++) {
      const socket = await openWebSocket(server);
      const before = flooded;
      while (flooded < before + 30) await pause(10);
      const { transport } = await prove(socket);
      transport.destroy();
    }
    flooding = false;
    await Promise.all(floods);
    await cut;
    clearInterval(dripping);
    assert.ok(performance.now() - started < 15_000);
    assert.ok(server.alive && server.log.split("\n").length < 60, server.log);
  },
);

function secure({ control }: ServerProcess, localAddress: string): Socket {
  const options = { port: control, host: "127.0.0.1", localAddress, rejectUnauthorized: false };
  return (connectSecure(options as never) as unknown as Socket).on("error", () => {});
}

attackTest("before a proof, messages of many small fragments are cut, and so are endless and empty ones", async () => {
  await using server = await ServerProcess.start();
  for (const [size, fin] of [[1, false], [1, false], [1, true], [0, true]] as const) {
    const socket = await openWebSocket(server);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    for (let sent = 0; sent < 400_000 && socket.readyState === 1; sent++) {
      socket.send(new Uint8Array(size), { fin, binary: true });
      if (sent % 1_000 === 0) await pause(1);
    }
    await closed;
  }
  assert.ok(await server.peakMiB() < 100, `${await server.peakMiB()} MiB`);
  assert.ok(server.alive, server.log);
});

/** Hand-written frames. */
function frames(count: number, frame: (i: number) => [type: number, flags: number, id: number, length: number]): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES * count);
  for (let i = 0; i < count; i++) writeHeader(bytes, i * HEADER_BYTES, ...frame(i));
  return bytes;
}

/** Sends until the connection is cut, without reading. */
async function flood(socket: WebSocket, message: Uint8Array, times: number): Promise<void> {
  for (let i = 0; i < times && socket.readyState === 1; i++) {
    socket.send(message);
    while (socket.bufferedAmount > 1_000_000 && socket.readyState === 1) await pause(1);
    if (i % 200 === 0) await pause(0);
  }
}

const attacks: [string, (socket: WebSocket) => Promise<void>][] = [
  ["pings without end, each in its own message", (socket) => {
    const message = frames(1, (i) => [FrameType.ping, Flag.syn, 0, i]);
    return flood(socket, message, 100_000);
  }],
  ["pings without end, thousands a message", (socket) => {
    return flood(socket, frames(5_000, (i) => [FrameType.ping, Flag.syn, 0, i]), 150);
  }],
  ["streams that are opened and reset in a loop", (socket) => {
    const message = frames(5_000, (i) => [FrameType.windowUpdate, i % 2 ? Flag.rst : Flag.syn, 1 + (i >> 1) * 2, 0]);
    return flood(socket, message, 150);
  }],
  ["credit without end for streams that never were", (socket) => {
    return flood(socket, frames(5_000, (i) => [FrameType.windowUpdate, 0, 2 + 2 * i, 0xffffffff]), 150);
  }],
];

attackTest(
  "a client with the key that floods and never reads is bounded or cut, and the next client serves callers immediately",
  async () => {
    await using server = await ServerProcess.start();
    for (const [name, run] of attacks) {
      const socket = await openWebSocket(server);
      await prove(socket);
      (socket as unknown as { _socket: Socket })._socket.pause();
      await run(socket);
      const session = await client(server, (stream) => void answering(stream));
      const caller = new Caller(server);
      while (caller.answers < 3 && caller.failures.length === 0) await pause(5);
      await caller.stop();
      assert.deepEqual(caller.failures, [], name);
      assert.ok(await server.peakMiB() < 200, `${name}: ${await server.peakMiB()} MiB`);
      session.destroy(new Error("over"));
      socket.terminate();
    }
    assert.ok(server.alive && server.log.split("\n").length < 60, server.log);
  },
);
