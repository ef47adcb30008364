import assert from "node:assert/strict";
// @ts-types="@types/ws"
import WebSocket from "ws";
import { memoryTransportPair } from "../memory_transport.ts";
import { handshakeAsClient, importKey, KEY_BYTES } from "../../tunnel/mod.ts";
import { type WebSocketLike, WsTransport } from "../ws_transport.ts";
import { handshakeAsServer } from "../../tunnel/mod.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import { serveHttp } from "./upstreams.ts";

/** What another Pod can do: open a WebSocket straight to the control port. */
async function intruder(namespace: TestNamespace): Promise<WsTransport> {
  const address = await namespace.address("kurun-kurun");
  const socket = new WebSocket(`wss://${address}:8333/tunnel`, "kurun.v1", { rejectUnauthorized: false, perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return new WsTransport(socket as unknown as WebSocketLike);
}

interface Heard {
  readonly messages: Uint8Array[];
  readonly closed: Promise<number>;
}

/** Gathers what a transport receives until it is closed. */
function listen(transport: WsTransport): Heard {
  const messages: Uint8Array[] = [];
  const closed = Promise.withResolvers<number>();
  transport.onmessage = (message) => messages.push(message);
  transport.onclose = ({ code }) => closed.resolve(code);
  return { messages, closed: closed.promise };
}

/** What a client with the right key of another session would say: hello and proof, as an eavesdropper has them. */
async function overheardProof(session: string): Promise<Uint8Array[]> {
  const [client, server] = memoryTransportPair();
  const said: Uint8Array[] = [];
  const send = client.send.bind(client);
  client.send = (message) => {
    said.push(message.slice());
    send(message);
  };
  const options = {
    key: await importKey(new Uint8Array(KEY_BYTES)),
    hello: { capabilities: [], session, instance: "intruder", who: "mallory", from: "pod" },
    random: (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)),
    signal: AbortSignal.timeout(1_000),
  };
  const accepted = handshakeAsServer(server, options);
  await handshakeAsClient(client, options);
  await accepted;
  return said;
}

clusterTest(
  "a peer in the cluster that has no key, replays, reflects or stays silent gets nothing, and requests continue",
  async (namespace) => {
    await using upstream = serveHttp(() => new Response("mine"));
    await using kurun = await KurunProcess.start(["port-forward", upstream.url, "-n", namespace.name]).ready();
    const url = `http://${await namespace.address()}/`;
    const session = await kubectl(["get", "jobs", "-n", namespace.name, "-o", "jsonpath={.items[0].metadata.name}"]);
    let asking = true;
    const answers: string[] = [];
    const requests = (async () => {
      while (asking) answers.push(await (await fetch(url)).text());
    })();

    // Without the key.
    const stranger = await intruder(namespace);
    await assert.rejects(
      handshakeAsClient(stranger, {
        key: await importKey(new Uint8Array(KEY_BYTES)),
        hello: { capabilities: [], session, instance: "intruder", who: "mallory", from: "pod" },
        signal: AbortSignal.timeout(5_000),
      }),
      /the proof of the session's key is missing or wrong/,
    );

    // With a proof that was overheard.
    const [hello, proof] = await overheardProof(session);
    const replaying = await intruder(namespace);
    const replayed = listen(replaying);
    replaying.send(hello!.slice());
    await until(() => replayed.messages.length === 1);
    replaying.send(proof!.slice());
    assert.equal(await replayed.closed, 4002);
    assert.equal(replayed.messages.at(-1)![0], 0);

    // With the server's own messages.
    const reflecting = await intruder(namespace);
    const reflected = listen(reflecting);
    reflecting.send(hello!.slice());
    await until(() => reflected.messages.length === 1);
    reflecting.send(reflected.messages[0]!.slice());
    assert.equal(await reflected.closed, 4002);

    // Silent.
    const silent = await intruder(namespace);
    const started = performance.now();
    const heard = listen(silent);
    await heard.closed;
    assert.ok(performance.now() - started < 5_000);
    assert.equal(heard.messages.filter((message) => message[0] === 1).length, 0);

    asking = false;
    await requests;
    assert.ok(answers.length > 50 && answers.every((answer) => answer === "mine"), `${answers.length} answers`);
    assert.doesNotMatch(kurun.stderr, /lost/);
  },
);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
