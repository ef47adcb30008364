import assert from "node:assert/strict";
import { ApiError } from "../../k8s/api/api_error.ts";
import { memoryTransportPair } from "../../tests/memory_transport.ts";
import { handshakeAsServer, type HandshakeOptions, importKey, Session, type Transport } from "../../tunnel/mod.ts";
import { RightsLostError } from "./keep_session.ts";
import { delay, type LinkState, ReplacedError, TunnelLink, type TunnelLinkOptions } from "./tunnel_link.ts";

const key = await importKey(new Uint8Array(32));
const otherKey = await importKey(new Uint8Array(32).fill(1));
const identity: Omit<HandshakeOptions, "signal"> = {
  key,
  hello: { capabilities: [], session: "s", instance: "i", who: "alice", from: "laptop" },
};

const refusal = new ApiError("no", { status: 403 });

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

function hold(
  dial: () => Promise<Transport>,
  onState: (state: LinkState) => void,
  signal: AbortSignal,
  more: Partial<TunnelLinkOptions> = {},
): Promise<void> {
  return new TunnelLink({
    dial,
    handshake: identity,
    onStream: () => {},
    onState,
    now: () => performance.now(),
    date: () => new Date(),
    chance: () => 0,
    addressed: new Promise(() => {}),
    signal,
    ...more,
  }).hold();
}

Deno.test("a lost link is dialed again until it is aborted", async () => {
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

Deno.test("a failed dial is retried, but a refusal that stays is final, also before the first connection", async () => {
  const answers = [new Error("no endpoints"), refusal, new Error("refused")];
  const states: LinkState[] = [];
  await assert.rejects(
    hold(() => Promise.reject(answers.shift() ?? refusal), (state) => states.push(state), new AbortController().signal, aSecondEachLook()),
    refusal,
  );
  assert.deepEqual(states.map((state) => "why" in state && state.why), ["no endpoints", "no", "refused", ...Array(7).fill("no")]);
});

Deno.test("pauses double up to two seconds, with jitter that never makes them longer", () => {
  assert.deepEqual([0, 1, 2, 3, 10, 1_000].map((failures) => delay(failures, 1)), [100, 200, 400, 800, 2_000, 2_000]);
  assert.equal(delay(1, 0), 100);
});

/** A second for every look at the clock: eight refusals take more than eight seconds. */
function aSecondEachLook(): Pick<TunnelLinkOptions, "now"> {
  let seconds = 0;
  return { now: () => 1_000 * seconds++ };
}

Deno.test("refusals after the first connection are final only when they stay, since an API server that starts does not know the roles", async () => {
  for (const refusals of [7, 8]) {
    const stop = new AbortController();
    let dials = 0;
    const connect = dialTo((session) => dials === 1 ? session.destroy(new Error("cut")) : stop.abort());
    const dial = () => {
      dials++;
      return dials === 1 || dials === refusals + 2 ? connect() : Promise.reject(refusal);
    };
    const held = hold(dial, () => {}, stop.signal, aSecondEachLook());
    if (refusals === 7) await held;
    else await assert.rejects(held, (error) => error instanceof RightsLostError && error.message === "no");
    assert.equal(dials, 9);
  }
});

Deno.test("a Pod that has just got its address is dialed at once, and again after short pauses", async () => {
  const stop = new AbortController();
  const addressed = Promise.withResolvers<void>();
  let dials = 0;
  let since = 0;
  const connect = dialTo(() => {});
  const dial = () => {
    if (++dials === 4) {
      since = performance.now();
      addressed.resolve();
    }
    // After the fourth, ten pauses of 0.2 s otherwise.
    return dials < 14 ? Promise.reject(new Error("no endpoints")) : connect();
  };
  await hold(dial, ({ is }) => is === "connected" && stop.abort(), stop.signal, { addressed: addressed.promise, chance: () => 1 });
  assert.ok(performance.now() - since < 1_500);
});

Deno.test("a Pod without an address is dialed less and less often", async () => {
  let dials = 0;
  const dial = () => {
    dials++;
    return Promise.reject(new Error("no endpoints"));
  };
  await hold(dial, () => {}, AbortSignal.timeout(1_300), { chance: () => 1 });
  // After 0, 0.1, 0.3 and 0.7 s; the next one comes after 1.5 s.
  assert.ok(dials <= 4, `${dials} dials`);
});

Deno.test("a second dial starts next to one that hangs, and whichever connects first is used", async () => {
  const stop = new AbortController();
  let dials = 0;
  const connect = dialTo(() => {});
  const started = performance.now();
  await hold(() => ++dials === 1 ? new Promise(() => {}) : connect(), ({ is }) => is === "connected" && stop.abort(), stop.signal);
  assert.equal(dials, 2);
  assert.ok(performance.now() - started < 2_500);
});

/** Two dials whose transports arrive at the same time; each server end is given to `serve` with its number, 1 or 2. */
function dialTwice(serve: (far: Transport, dial: number) => void): () => Promise<Transport> {
  const both = Promise.withResolvers<void>();
  let dials = 0;
  return async () => {
    const dial = ++dials;
    if (dial === 2) both.resolve();
    await both.promise;
    const [near, far] = memoryTransportPair();
    serve(far, dial);
    return near;
  };
}

Deno.test("of two dials that get through together one proves itself; the server would let the other replace it", async () => {
  const stop = new AbortController();
  let proven = 0;
  const ends = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const dial = dialTwice((far, number) => {
    handshakeAsServer(far, { ...identity, signal: AbortSignal.timeout(1_000) })
      .then(() => proven++, () => far.destroy())
      .finally(ends[number - 1]?.resolve);
  });
  const held = hold(dial, () => {}, stop.signal);
  await Promise.all(ends.map(({ promise }) => promise));
  assert.equal(proven, 1);
  stop.abort();
  await held;
});

Deno.test("a dial whose proof fails lets the other one prove itself", async () => {
  const stop = new AbortController();
  const states: LinkState[] = [];
  const dial = dialTwice((far, number) => {
    handshakeAsServer(far, { ...identity, key: number === 1 ? otherKey : key, signal: AbortSignal.timeout(1_000) })
      .then(() => {}, () => far.destroy());
  });
  await hold(dial, (state) => {
    states.push(state);
    if (state.is === "connected") stop.abort();
  }, stop.signal);
  assert.deepEqual(states.map(({ is }) => is), ["failed", "connected"]);
});

Deno.test("a dial whose proof gets no answer lets the next one prove itself before the server has given that up", async () => {
  const stop = new AbortController();
  let dials = 0;
  const connected: number[] = [];
  const dial = () => {
    const [near, far] = memoryTransportPair();
    const number = ++dials;
    let sent = 0;
    const send = far.send.bind(far);
    // The first connection breaks behind the server's hello, and nobody notices.
    far.send = (message) => number === 1 && ++sent > 1 ? undefined : send(message);
    // As the control port: 3 s (server/control/control_port.ts).
    handshakeAsServer(far, { ...identity, signal: AbortSignal.timeout(3_000) })
      .then(() => number > 1 && connected.push(number), () => far.destroy());
    return Promise.resolve(near);
  };
  await hold(dial, ({ is }) => is === "connected" && stop.abort(), stop.signal);
  assert.deepEqual(connected, [2]);
});

Deno.test("a dial that fails after a second one has started is reported, and refusals that stay are final for both", async () => {
  const states: LinkState[] = [];
  const late = [new Error("no route"), refusal];
  const dial = () => {
    const error = late.shift();
    return error ? new Promise<Transport>((_, reject) => setTimeout(() => reject(error), 1_700)) : Promise.reject(refusal);
  };
  await assert.rejects(hold(dial, (state) => states.push(state), new AbortController().signal, aSecondEachLook()), refusal);
  assert.deepEqual(states[0], { is: "failed", why: "no route" });
});

Deno.test("a server that goes away is followed to the next while what it still carries goes on", async () => {
  const stop = new AbortController();
  const servers: Session[] = [];
  const second = Promise.withResolvers<void>();
  const states: string[] = [];
  const dial = dialTo((session) => servers.push(session) === 2 && second.resolve());
  const held = hold(dial, ({ is }) => states.push(is), stop.signal, {
    onStream: async (stream) => {
      try {
        for (let bytes = await stream.read(); bytes; bytes = await stream.read()) await stream.write(bytes);
      } catch {
        // The server that carried it has gone.
      }
    },
  });
  while (servers.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const open = servers[0]!.open(new Uint8Array([1]));
  assert.deepEqual([...await open.read() ?? []], [1]);
  servers[0]!.goAway();
  await second.promise;
  await open.write(new Uint8Array([2]));
  assert.deepEqual([...await open.read() ?? []], [2]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  servers[0]!.close(4003, "the server is being stopped");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(states, ["connected"]);
  stop.abort();
  await held;
});

Deno.test("after a sleep the next dial does not wait", async () => {
  const stop = new AbortController();
  let slept = 0;
  let dials = 0;
  const started = performance.now();
  const connect = dialTo(() => {});
  const dial = () => ++dials < 8 ? Promise.reject(new Error("no network")) : connect();
  // The clock jumps once the pauses have grown.
  await hold(dial, ({ is }) => is === "connected" ? stop.abort() : slept = dials >= 4 ? 60_000 : 0, stop.signal, {
    date: () => new Date(Date.now() + slept),
    chance: () => 1,
  });
  assert.ok(performance.now() - started < 6_000);
});
