/**
 * A client of the server in its own process, which a test can stop and kill. The path of a request decides about its answer: /slow?MS gets
 * it after so many milliseconds, /never never, /half only half of it, /stream a chunk every 100 ms, and any other path gets it immediately.
 * It says "connected", each path that it sees, "go-away", and the code that its session ended with.
 *
 *     deno run -A tests/tunnel_client.ts PORT KEYFILE
 */
// @ts-types="@types/ws"
import WebSocket from "ws";
import { encodeAccepted, handshakeAsClient, importKey, keepAlive, readPreamble, Session, type Stream } from "../tunnel/mod.ts";
import { type WebSocketLike, WsTransport } from "./ws_transport.ts";

const [port, keyFile] = Deno.args as [string, string];

const socket = new WebSocket(`wss://127.0.0.1:${port}/tunnel`, "kurun.v1", { rejectUnauthorized: false, perMessageDeflate: false });
await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
const transport = new WsTransport(socket as unknown as WebSocketLike);
const { rest } = await handshakeAsClient(transport, {
  key: await importKey(await Deno.readFile(keyFile)),
  hello: { capabilities: [], session: "kurun-1", instance: crypto.randomUUID(), who: "alice", from: "laptop" },
  signal: AbortSignal.timeout(5_000),
});
const session = new Session(transport, {
  role: "client",
  now: () => performance.now(),
  onStream: (stream) => void serve(stream).catch(() => stream.reset()),
  onEnd: ({ transport: { code } }) => {
    say(`ended ${code}`);
    Deno.exit(0);
  },
});
const take = transport.onmessage;
transport.onmessage = (message, last) => {
  // Version 0, type 3: a go-away frame at the start of its message.
  if (message[0] === 0 && message[1] === 3) say("go-away");
  take?.(message, last);
};
for (const message of rest) session.receive(message);
keepAlive(session);
say("connected");

async function serve(stream: Stream): Promise<void> {
  let text = new TextDecoder().decode((await readPreamble(stream)).rest);
  await stream.write(encodeAccepted());
  for (;;) {
    for (;;) {
      const end = text.indexOf("\r\n\r\n") + 4;
      const size = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (end < 4 || text.length < end + size) break;
      await answer(stream, /^\S+ (\S+)/.exec(text)?.[1] ?? "");
      text = text.slice(end + size);
    }
    const more = await stream.read();
    if (more === null) return stream.closeWrite();
    text += new TextDecoder().decode(more);
  }
}

async function answer(stream: Stream, path: string): Promise<void> {
  say(path);
  const slow = /^\/slow\?(\d+)/.exec(path)?.[1];
  if (slow !== undefined) await pause(Number(slow));
  if (path.startsWith("/never")) await pause(600_000);
  if (path === "/half") {
    await write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    await pause(600_000);
  }
  if (path === "/stream") {
    await write(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (let i = 0; i < 30; i++) {
      await write(stream, "3\r\nabc\r\n");
      await pause(100);
    }
    await write(stream, "0\r\n\r\n");
    return;
  }
  await write(stream, `HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
}

async function write(stream: Stream, text: string): Promise<void> {
  await stream.write(new TextEncoder().encode(text));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
