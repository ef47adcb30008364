import assert from "node:assert/strict";
import { HandshakeError } from "./errors.ts";
import { handshakeAsClient, handshakeAsServer, type Handshaken, type HandshakeOptions } from "./handshake.ts";
import { decodeHello, encodeHello, type Hello, importKey, MAX_HELLO_BYTES, proof } from "./hello.ts";
import { type MemoryTransport, memoryTransportPair } from "../tests/memory_transport.ts";

const KEY = new Uint8Array(32).fill(7);

async function options(more: Partial<HandshakeOptions> & { keyBytes?: Uint8Array; session?: string } = {}): Promise<HandshakeOptions> {
  const { keyBytes = KEY, session = "kurun-1", ...rest } = more;
  return {
    key: await importKey(keyBytes),
    hello: { capabilities: [], session, instance: "i-1", who: "alice", from: "laptop" },
    signal: new AbortController().signal,
    ...rest,
  };
}

async function both(client: HandshakeOptions, server: HandshakeOptions): Promise<PromiseSettledResult<Handshaken>[]> {
  const [a, b] = memoryTransportPair();
  return await Promise.allSettled([
    handshakeAsClient(a, client).finally(() => a.destroy()),
    handshakeAsServer(b, server).finally(() => setTimeout(() => b.destroy())),
  ]);
}

/** An overheard handshake: the messages of the client and of the server. */
async function overhear(): Promise<{ client: Uint8Array[]; server: Uint8Array[] }> {
  const [a, b] = memoryTransportPair();
  const said = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
  for (const [wire, list] of [[a, said.client], [b, said.server]] as const) {
    const send = wire.send.bind(wire);
    wire.send = (message) => {
      list.push(message.slice());
      send(message);
    };
  }
  const [mine, theirs] = [await options(), await options()];
  await Promise.all([handshakeAsClient(a, mine), handshakeAsServer(b, theirs)]);
  return said;
}

/** A server at the far end of a transport on which the test plays the client. */
async function server(signal?: AbortSignal): Promise<{ wire: MemoryTransport; heard: Uint8Array[]; result: Promise<Handshaken> }> {
  const [wire, theirs] = memoryTransportPair();
  const heard: Uint8Array[] = [];
  wire.onmessage = (message) => heard.push(message);
  const result = handshakeAsServer(theirs, await options(signal ? { signal } : {}));
  result.catch(() => {});
  return { wire, heard, result };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 10));

Deno.test("two sides with the same key get each other's hello", async () => {
  const [client, server] = await both(await options(), await options());
  assert.equal(client?.status === "fulfilled" && client.value.hello.who, "alice");
  assert.equal(server?.status === "fulfilled" && server.value.hello.session, "kurun-1");
});

Deno.test("a client without the key is refused and gets no proof to learn from", async () => {
  const [a, b] = memoryTransportPair();
  const heard: number[] = [];
  const serverDone = handshakeAsServer(b, await options());
  const clientDone = handshakeAsClient(a, await options({ keyBytes: new Uint8Array(32) }));
  const deliver = a.onmessage;
  a.onmessage = (message) => {
    heard.push(message.length);
    deliver?.(message, true);
  };
  await assert.rejects(serverDone, /does not hold the session's key/);
  b.destroy();
  await assert.rejects(clientDone, HandshakeError);
  assert.equal(heard.length, 1);
});

Deno.test("a server without the key is detected by the client", async () => {
  const theirKey = await importKey(new Uint8Array(32));
  const [a, b] = memoryTransportPair();
  const clientDone = handshakeAsClient(a, await options());
  const hellos: Uint8Array[] = [];
  b.onmessage = async (message) => {
    hellos.push(message);
    if (hellos.length === 1) b.send(encodeHello({ ...decodeHello(message) }));
    if (hellos.length === 2) b.send(new Uint8Array([1, ...await proof(theirKey, "server", hellos[0]!, hellos[0]!)]));
  };
  await assert.rejects(clientDone, /The server does not hold the session's key/);
});

Deno.test("an overheard proof is worthless in another handshake", async () => {
  const said = await overhear();
  const { wire, heard, result } = await server();
  wire.send(said.client[0]!.slice());
  await settle();
  wire.send(said.client[1]!.slice());
  await assert.rejects(result, /does not hold the session's key/);
  assert.equal(heard.length, 1);
});

Deno.test("a server's own proof sent back to it proves nothing", async () => {
  const { wire, heard, result } = await server();
  wire.send(encodeHello(hello({})));
  await settle();
  const clientHello = encodeHello(hello({}));
  const key = await importKey(KEY);
  wire.send(await proof(key, "server", clientHello, heard[0]!));
  await assert.rejects(result, /does not hold the session's key/);
});

Deno.test("a hello that was changed on the way breaks the proof", async () => {
  const [a, b] = memoryTransportPair();
  const send = a.send.bind(a);
  a.send = (message) => send(message[0] === 0x7b ? encodeHello({ ...decodeHello(message), who: "mallory" }) : message);
  const [mine, theirs] = [await options(), await options()];
  const clientDone = handshakeAsClient(a, mine);
  await assert.rejects(handshakeAsServer(b, theirs), /does not hold the session's key/);
  b.destroy();
  await assert.rejects(clientDone);
});

Deno.test("a silent peer is given up after the time limit", async () => {
  const { result } = await server(AbortSignal.timeout(20));
  await assert.rejects(result, /did not finish the handshake in time/);
});

Deno.test("a message of more than 4 KiB ends the handshake", async () => {
  const { wire, result } = await server();
  wire.send(new Uint8Array(MAX_HELLO_BYTES + 1));
  await assert.rejects(result, /too long/);
});

Deno.test("what a refused peer still sends is dropped, not kept", async () => {
  const [wire, theirs] = memoryTransportPair();
  const result = handshakeAsServer(theirs, await options());
  wire.send(new Uint8Array(MAX_HELLO_BYTES + 1));
  await assert.rejects(result, HandshakeError);
  assert.equal(theirs.onmessage, undefined);
});

Deno.test("a peer that floods during the handshake is given up", async () => {
  const { wire, result } = await server();
  for (let i = 0; i < 300; i++) wire.send(new Uint8Array(4096));
  await assert.rejects(result, HandshakeError);
});

Deno.test("messages right after the handshake are kept for the session", async () => {
  const [a, b] = memoryTransportPair();
  const [mine, theirs] = [await options(), await options()];
  // Sent in the same turn as the last message, it arrives before the client has checked the proof.
  const send = b.send.bind(b);
  b.send = (message) => {
    send(message);
    if (message[0] === 1) send(new Uint8Array([1, 2, 3]));
  };
  const serverDone = handshakeAsServer(b, theirs);
  const { rest } = await handshakeAsClient(a, mine);
  await serverDone;
  assert.deepEqual(rest.map((message) => [...message]), [[1, 2, 3]]);
});

function hello(more: Partial<Hello>): Hello {
  return {
    version: 1,
    capabilities: ["x"],
    session: "kurun-1",
    instance: "i-1",
    who: "alice",
    from: "laptop",
    nonce: btoa(String.fromCharCode(...new Uint8Array(32))),
    ...more,
  };
}

const bad: [string, Partial<Record<keyof Hello, unknown>>][] = [
  ["another version", { version: 2 }],
  ["no session", { session: "" }],
  ["a session that is no name", { session: "a/b" }],
  ["a terminal's escape sequence in a name", { who: "\u001b[2Jalice" }],
  ["a nonce of another length", { nonce: "AAAA" }],
  ["capabilities without end", { capabilities: Array(33).fill("x") }],
  ["a place that is no text", { from: 5 }],
];
for (const [name, more] of bad) {
  Deno.test(`a hello is refused if it has ${name}`, () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ ...hello({}), ...more }));
    assert.throws(() => decodeHello(bytes), HandshakeError);
  });
}

Deno.test("a proof changes with the role, with either hello and with the key, and is 32 bytes", async () => {
  const key = await importKey(KEY);
  const [a, b] = [encodeHello(hello({})), encodeHello(hello({ instance: "i-2" }))];
  const proofs = await Promise.all([
    proof(key, "client", a, b),
    proof(key, "server", a, b),
    proof(key, "client", b, a),
    proof(key, "client", a, a),
    proof(await importKey(new Uint8Array(32)), "client", a, b),
  ]);
  assert.equal(new Set(proofs.map((bytes) => bytes.join())).size, proofs.length);
  assert.equal(proofs[0]!.length, 32);
});
