/**
 * Links that are congested when they break. In each round, writes of every kind wait at either end of the link, and then it is cut. An
 * unhandled rejection ends the process, which in the Pod is process 1 and takes the user's program with it; Deno.test fails on it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { SupervisorClient } from "../cli/run/supervisor_client.ts";
import { type Connection, encodePreamble, type RunPreamble } from "../tunnel/mod.ts";
import { SeededRandom } from "./seeded_random.ts";
import { bash, drain, executable, linkTo, supervisorTest, testSupervisor } from "./supervisor_link.ts";

const ROUNDS = 60;
/** This many streams, each with a window of 64 KiB, put more into the transport than the 1 MiB at which it counts as congested. */
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

/** Turns of the event loop, for microtasks and what they lead to. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

supervisorTest("a link that breaks while it is congested ends no supervisor, whatever streams were open or being opened", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new SeededRandom(seed);
  const folder = await Deno.makeTempDir();
  const refused = () => Promise.reject(new Error("refused"));
  const supervisor = testSupervisor(folder, () => random.chance(0.2) ? refused() : Promise.resolve(new Flood()));
  const program = bash("for i in $(seq 200); do head -c 50000 /dev/zero; sleep 0.02; done");
  const { sha256, size } = program;
  const client = new SupervisorClient(() => Promise.resolve());
  let congested = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const { session, server, there, cut } = linkTo(supervisor);
    client.attach(session);
    if (round % 10 === 0) client.start(program, executable(folder), true);
    await turns(2);
    // What the supervisor sends stays in its transport from here on, while everything that the client sends arrives.
    there.hold();
    for (let i = 0; i < PORTS; i++) void drain(session.open(encodePreamble({ for: "port", port: 80 })));
    await turns(3);
    if (server.congested) congested++;
    const beginning: RunPreamble[] = [
      { for: "control" },
      { for: "port", port: 80 },
      { for: "stdin", run: 1 + random.below(8) },
      { for: "stdout", run: 1 + random.below(8) },
      { for: "program", sha256, size },
      { for: "program", sha256: sha256.replace(/^./, "0").replace(/.$/, "1"), size: 5 },
    ];
    for (let i = random.below(20); i >= 0; i--) void drain(session.open(encodePreamble(random.pick(beginning))));
    await turns(random.below(4));
    const ends = [() => session.destroy(new Error("cut")), () => server.destroy(new Error("cut")), () => server.close(1000, "")];
    random.pick(ends)();
    await turns(random.below(3));
    cut();
    await turns(1);
  }
  await supervisor.stop(0, 0);
  await Deno.remove(folder, { recursive: true });
  assert.ok(congested > ROUNDS / 2, `congested in ${congested} of ${ROUNDS} rounds, seed ${seed}`);
});

supervisorTest("requests that a congested link loses when it breaks are sent again on the next link", async () => {
  const folder = await Deno.makeTempDir();
  const supervisor = testSupervisor(folder, () => Promise.reject(new Error("refused")));
  const output: string[] = [];
  const client = new SupervisorClient((_, bytes) => Promise.resolve(void output.push(new TextDecoder().decode(bytes))));
  const connect = () => {
    const link = linkTo(supervisor);
    client.attach(link.session);
    return link;
  };
  const first = connect();
  await turns(3);
  // The stream's window is 64 KiB: the rest of the request waits for credit that never comes.
  first.there.hold();
  const run = client.start(bash('echo "${#1}"'), { ...executable(folder), args: ["y".repeat(100_000)] }, false);
  client.ask({ do: "resize", run: run.number, columns: 1, rows: 1 });
  await turns(3);
  first.cut();
  await turns(3);
  for (let cuts = 0; cuts < 3; cuts++) {
    const next = connect();
    await turns(cuts);
    next.cut();
  }
  connect();
  assert.deepEqual(await run.ended(), { code: 0 });
  assert.equal(output.join(""), "100000\n");
  await supervisor.stop(0, 0);
  await Deno.remove(folder, { recursive: true });
});
