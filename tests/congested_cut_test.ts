/**
 * Links that are congested when they break. In each round, writes of every kind wait at either end of the link, and then it is cut. An
 * unhandled rejection ends the process, which in the Pod is process 1 and takes the user's program with it; Deno.test fails on it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { SupervisorClient } from "../cli/run/supervisor_client.ts";
import { spawnProcess } from "../server/run/spawn_process.ts";
import { Supervisor } from "../server/run/supervisor.ts";
import { type Connection, encodePreamble, memoryTransportPair, type RunPreamble, Session, type Stream } from "../tunnel/mod.ts";
import { SeededRandom } from "./seeded_random.ts";

const ROUNDS = 60;
/** Streams of this number, each with a window of 64 KiB, put more into the transport than the 1 MiB at which it counts as congested. */
const PORTS = 40;

/** A port of the program whose bytes never end. */
class Flood implements Connection {
  #over = false;

  read(): Promise<Uint8Array | null> {
    return this.#over ? Promise.reject(new Error("reset")) : Promise.resolve(new Uint8Array(16 * 1024));
  }

  write(): void {}

  closeWrite(): void {}

  reset(): void {
    this.#over = true;
  }
}

function supervisor(folder: string, dial: () => Promise<Connection>): Supervisor {
  return new Supervisor({
    folder,
    architecture: "amd64",
    scriptCommand: (script) => [script],
    env: { PATH: Deno.env.get("PATH") ?? "" },
    spawn: spawnProcess,
    dial: () => dial(),
    outOfMemory: () => 0,
    log: () => {},
  });
}

/** Turns of the event loop, for microtasks and what they lead to. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

async function ignored(stream: Stream): Promise<void> {
  try {
    while (await stream.read() !== null);
  } catch {
    // Cut.
  }
}

Deno.test({
  name: "a link that breaks while it is congested ends no supervisor, whatever streams were open or beginning",
  ignore: Deno.build.os !== "linux",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new SeededRandom(seed);
    const folder = await Deno.makeTempDir();
    const tested = supervisor(folder, () => random.chance(0.2) ? Promise.reject(new Error("refused")) : Promise.resolve(new Flood()));
    const bytes = new TextEncoder().encode("#!/bin/bash\nfor i in $(seq 200); do head -c 50000 /dev/zero; sleep 0.02; done\n");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const read = (offset: number) => Promise.resolve(offset >= bytes.length ? null : bytes.slice(offset));
    const client = new SupervisorClient(() => Promise.resolve());
    const now = () => performance.now();
    let slow = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [here, there] = memoryTransportPair();
      const server = new Session(there, { role: "server", now, onStream: (stream) => tested.accept(stream) });
      const session = new Session(here, { role: "client", now });
      client.attach(session);
      if (round % 10 === 0) {
        client.start({ sha256, size: bytes.length, read, taken: () => {} }, {
          kind: "executable",
          name: "x",
          args: [],
          env: [],
          workdir: folder,
        }, true);
      }
      await turns(2);
      // What the supervisor sends stays in its transport from here on, while everything that the client sends arrives.
      there.hold();
      for (let i = 0; i < PORTS; i++) void ignored(session.open(encodePreamble({ for: "port", port: 80 })));
      await turns(3);
      if (server.congested) slow++;
      const beginning: RunPreamble[] = [
        { for: "control" },
        { for: "port", port: 80 },
        { for: "stdin", run: 1 + random.below(8) },
        { for: "stdout", run: 1 + random.below(8) },
        { for: "program", sha256, size: bytes.length },
        { for: "program", sha256: sha256.replace(/^./, "0").replace(/.$/, "1"), size: 5 },
      ];
      for (let i = random.below(20); i >= 0; i--) void ignored(session.open(encodePreamble(random.pick(beginning))));
      await turns(random.below(4));
      const ends = [() => session.destroy(new Error("cut")), () => server.destroy(new Error("cut")), () => server.close(1000, "")];
      random.pick(ends)();
      await turns(random.below(3));
      session.destroy(new Error("cut"));
      server.destroy(new Error("cut"));
      await turns(1);
    }
    await tested.stop(0, 0);
    await Deno.remove(folder, { recursive: true });
    assert.ok(slow > ROUNDS / 2, `congested in ${slow} of ${ROUNDS} rounds, seed ${seed}`);
  },
});

Deno.test({
  name: "requests of a client whose link is congested when it breaks are dropped here and sent again on the next",
  ignore: Deno.build.os !== "linux",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const tested = supervisor(folder, () => Promise.reject(new Error("refused")));
    const output: string[] = [];
    const client = new SupervisorClient((_, bytes) => Promise.resolve(void output.push(new TextDecoder().decode(bytes))));
    const bytes = new TextEncoder().encode('#!/bin/bash\necho "${#1}"\n');
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const read = (offset: number) => Promise.resolve(offset >= bytes.length ? null : bytes.slice(offset));
    const now = () => performance.now();
    const connect = () => {
      const [here, there] = memoryTransportPair();
      const server = new Session(there, { role: "server", now, onStream: (stream) => tested.accept(stream) });
      const session = new Session(here, { role: "client", now });
      client.attach(session);
      return { here, there, session, server };
    };
    const first = connect();
    await turns(3);
    // The stream's window is 64 KiB: the rest of the request waits for credit that never comes.
    first.there.hold();
    const wishes = { kind: "executable", name: "x", args: ["y".repeat(100_000)], env: [], workdir: folder } as const;
    const run = client.start({ sha256, size: bytes.length, read, taken: () => {} }, wishes, false);
    client.resize(run, { columns: 1, rows: 1 });
    await turns(3);
    first.session.destroy(new Error("cut"));
    first.server.destroy(new Error("cut"));
    await turns(3);
    for (let cuts = 0; cuts < 3; cuts++) {
      const next = connect();
      await turns(cuts);
      next.session.destroy(new Error("cut"));
      next.server.destroy(new Error("cut"));
    }
    connect();
    assert.deepEqual(await run.ended(), { code: 0 });
    assert.equal(output.join(""), "100000\n");
    await tested.stop(0, 0);
    await Deno.remove(folder, { recursive: true });
  },
});
