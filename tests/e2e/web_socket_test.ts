import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import WebSocket, { WebSocketServer } from "ws";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest } from "./kubernetes.ts";

/** Around each of the lengths where a frame's header grows (RFC 6455, 5.2), and up to 8 MB. */
const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_000_000, 8_000_000];
const SOCKETS = 3;

/** A program that echoes messages, and closes as its caller did: with the same code and reason. */
async function serveWebSockets(): Promise<{ port: number; closes: string[] } & AsyncDisposable> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: true });
  const closes: string[] = [];
  server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("close", (code, reason) => closes.push(`${code} ${reason}`));
  });
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    closes,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function open(url: string, perMessageDeflate: boolean): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return socket;
}

/** Sends all messages without waiting, then waits for as many. */
async function exchange(socket: WebSocket, messages: readonly Uint8Array[]): Promise<string[]> {
  const got: string[] = [];
  const all = Promise.withResolvers<void>();
  socket.on("message", (data: Uint8Array) => {
    got.push(digest(data));
    if (got.length === messages.length) all.resolve();
  });
  socket.once("close", (code) => all.reject(new Error(`closed with ${code} after ${got.length} messages`)));
  for (const message of messages) socket.send(message);
  await all.promise;
  return got;
}

function digest(data: Uint8Array): string {
  return `${data.length} ${createHash("sha256").update(data).digest("hex")}`;
}

for (const [what, path] of [["", ""], [" behind a path", "/base"]] as const) {
  clusterTest(
    `WebSockets${what} carry messages of up to 8 MB, compressed or not, pings, and close codes`,
    async (namespace) => {
      await using program = await serveWebSockets();
      await using kurun = await KurunProcess.start(["port-forward", `http://localhost:${program.port}${path}`, "-n", namespace.name, "-v"])
        .ready();
      const url = `ws://${await namespace.address()}/`;
      const messages = SIZES.map((size) => {
        const message = new Uint8Array(size);
        for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(message.subarray(at, at + 65_536));
        return message;
      });
      const sockets = await Promise.all(Array.from({ length: SOCKETS }, (_, i) => open(url, i === 0)));
      assert.deepEqual(sockets.map(({ extensions }) => extensions), ["permessage-deflate", "", ""]);
      const got = await Promise.all(sockets.map((socket) => exchange(socket, messages)));
      for (const each of got) assert.deepEqual(each, messages.map(digest));
      const [first] = sockets as [WebSocket];
      const pong = new Promise((resolve) => first.once("pong", (data) => resolve(String(data))));
      first.ping("are you there");
      assert.equal(await pong, "are you there");
      const closed = sockets.map((socket, i) =>
        new Promise((resolve) => {
          socket.once("close", (code) => resolve(code));
          socket.close(4_000 + i, `reason ${i}`);
        })
      );
      assert.deepEqual(await Promise.all(closed), [4_000, 4_001, 4_002]);
      while (program.closes.length < SOCKETS) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.deepEqual(program.closes.toSorted(), ["4000 reason 0", "4001 reason 1", "4002 reason 2"]);
      await kurun.waitFor(/(^\S+ upgraded - - 9\.1MB \S+ \S+ 9\.1MB in\n[^]*){3}/m);
    },
  );
}
