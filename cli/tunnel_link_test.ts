import assert from "node:assert/strict";
import { handshakeAsServer, type HandshakeOptions, importKey, memoryTransportPair, Session, type Transport } from "../tunnel/mod.ts";
import { delay, holdTunnel, type LinkState, ReplacedError } from "./tunnel_link.ts";

const key = await importKey(new Uint8Array(32));
const identity: Omit<HandshakeOptions, "signal"> = {
  key,
  hello: { capabilities: [], session: "s", instance: "i", who: "alice", from: "laptop" },
  random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
};

/** A server that lets everybody in who has the key; `serve` is given each session. */
function dialTo(serve: (session: Session) => void): () => Promise<Transport> {
  return () => {
    const [near, far] = memoryTransportPair();
    handshakeAsServer(far, { ...identity, signal: AbortSignal.timeout(1_000) })
      .then(({ rest }) => {
        const session = new Session(far, { role: "server", now: () => performance.now() });
        for (const message of rest) session.receive(message);
        serve(session);
      }, () => far.destroy());
    return Promise.resolve(near);
  };
}

function hold(dial: () => Promise<Transport>, onState: (state: LinkState) => void, signal: AbortSignal): Promise<void> {
  return holdTunnel({
    dial,
    handshake: identity,
    onStream: () => {},
    onState,
    isFinal: (error) => (error as Error).message === "final",
    now: () => performance.now(),
    chance: () => 0,
    signal,
  });
}

Deno.test("a link that is lost is dialled again until it is ended", async () => {
  const states: string[] = [];
  const stop = new AbortController();
  let connections = 0;
  const dial = dialTo((session) => ++connections < 3 ? session.destroy(new Error("cut")) : undefined);
  await hold(dial, (state) => {
    states.push(state.is);
    if (connections === 3 && state.is === "connected") stop.abort();
  }, stop.signal);
  assert.deepEqual(states, ["connected", "lost", "connected", "lost", "connected"]);
});

Deno.test("a client that was replaced ends, says by whom and does not dial again", async () => {
  let dials = 0;
  const dial = dialTo((session) => session.close(4001, "replaced by bob from desk"));
  await assert.rejects(
    hold(() => (dials++, dial()), () => {}, new AbortController().signal),
    (error) => error instanceof ReplacedError && error.message === "replaced by bob from desk",
  );
  assert.equal(dials, 1);
});

Deno.test("a failed dial is tried again, a final answer is not", async () => {
  const answers = ["no endpoints", "refused", "final"];
  const states: LinkState[] = [];
  await assert.rejects(
    hold(() => Promise.reject(new Error(answers.shift())), (state) => states.push(state), new AbortController().signal),
    /final/,
  );
  assert.deepEqual(states.map((state) => "why" in state && state.why), ["no endpoints", "refused"]);
});

Deno.test("pauses double up to two seconds, with jitter that never makes them longer", () => {
  assert.deepEqual([0, 1, 2, 3, 10, 1_000].map((failures) => delay(failures, 1)), [100, 200, 400, 800, 2_000, 2_000]);
  assert.equal(delay(1, 0), 100);
});
