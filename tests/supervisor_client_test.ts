/**
 * The two halves of `kurun run` together, over connections that a test owns: the client's, and the supervisor with real processes.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { RemoteRun, RunSettings, SentProgram } from "../cli/run/remote_run.ts";
import { SupervisorClient } from "../cli/run/supervisor_client.ts";
import type { Supervisor } from "../server/run/supervisor.ts";
import { encodeMessage, encodePreamble, NativeConnection, type RunEnd } from "../tunnel/mod.ts";
import { bash, executable, linkTo, sent, supervisorTest, testSupervisor } from "./supervisor_link.ts";

/** A client and a supervisor, and the connections between them. */
class Stage implements AsyncDisposable {
  readonly client: SupervisorClient;
  readonly supervisor: Supervisor;
  readonly folder: string = Deno.makeTempDirSync();
  readonly outputs: { stdout: Uint8Array[]; stderr: Uint8Array[] } = { stdout: [], stderr: [] };
  /** Outputs are taken once this has resolved. */
  taking: Promise<void> = Promise.resolve();
  #cut: () => void = () => {};

  constructor() {
    this.client = new SupervisorClient(async (output, bytes) => {
      await this.taking;
      this.outputs[output].push(bytes.slice());
    });
    this.supervisor = testSupervisor(this.folder, async (port) => new NativeConnection(await Deno.connect({ port })));
  }

  /** Connects anew; the previous connection is lost. */
  connect(): void {
    this.cut();
    const { session, cut } = linkTo(this.supervisor);
    this.#cut = cut;
    this.client.attach(session);
  }

  cut(): void {
    this.#cut();
    this.#cut = () => {};
  }

  /** Runs a shell script. */
  run(script: string, wishes: Partial<RunSettings> = {}, stdin = false): RemoteRun {
    return this.client.start(bash(script), { ...executable(this.folder), ...wishes }, stdin);
  }

  text(output: "stdout" | "stderr"): string {
    return new TextDecoder().decode(new Uint8Array(this.outputs[output].flatMap((bytes) => [...bytes])));
  }

  /** Waits until standard output contains a text. */
  async printed(text: string): Promise<void> {
    while (!this.text("stdout").includes(text)) await pause(10);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await this.supervisor.stop(0);
    await Deno.remove(this.folder, { recursive: true });
  }
}

function runTest(name: string, fn: (stage: Stage) => Promise<void>): void {
  supervisorTest(name, async () => {
    await using stage = new Stage();
    await fn(stage);
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

runTest(
  "a program gets exactly its arguments and environment, and its exit code, stdout and stderr come back separately",
  async (stage) => {
    stage.connect();
    const args = ["a b", "", "$(X)", '"q"', "é"];
    const run = stage.run(`printf '<%s>' "$@" "$V" "$0" "$PWD"; echo err >&2; exit 3`, { args, env: [["V", "$(A) 'x'\nb"]] });
    assert.deepEqual(await run.ended(), { code: 3 } satisfies RunEnd);
    const script = /<([^>]*\/[0-9a-f]{64})>/.exec(stage.text("stdout"))?.[1];
    assert.equal(stage.text("stdout"), `<a b><><$(X)><"q"><é><$(A) 'x'\nb><${script}><${await Deno.realPath(stage.folder)}>`);
    assert.equal(stage.text("stderr"), "err\n");
  },
);

runTest("output that is written while the connection is lost, again and again, arrives exactly once", async (stage) => {
  stage.connect();
  // It takes half a second at least: without the pauses it was sometimes over after two cuts.
  const run = stage.run(`for i in $(seq 1 30000); do echo "line $i"; [ $((i % 1000)) -gt 0 ] || sleep 0.02; done`);
  const ended = run.ended();
  let over = false;
  void ended.then(() => over = true);
  let cuts = 0;
  while (!over) {
    await pause(5);
    if (over) break;
    stage.cut();
    cuts++;
    await pause(5);
    stage.connect();
    await pause(cuts * 5);
  }
  assert.ok(cuts > 2, `${cuts} cuts`);
  assert.equal(stage.text("stdout"), Array.from({ length: 30_000 }, (_, i) => `line ${i + 1}\n`).join(""));
});

runTest("a program whose output nobody reads blocks at 4 MiB, and continues when it is read", async (stage) => {
  stage.connect();
  const taking = Promise.withResolvers<void>();
  stage.taking = taking.promise;
  const run = stage.run(`head -c 20000000 /dev/zero; echo done > ${stage.folder}/written`);
  await run.started;
  stage.cut();
  await pause(700);
  await assert.rejects(Deno.stat(`${stage.folder}/written`), Deno.errors.NotFound);
  taking.resolve();
  stage.connect();
  assert.deepEqual(await run.ended(), { code: 0 });
  assert.equal(stage.outputs.stdout.reduce((sum, bytes) => sum + bytes.length, 0), 20_000_000);
});

runTest("a program's input, and its end, arrive exactly once over lost connections", async (stage) => {
  const run = stage.run("cat", {}, true);
  const written: string[] = [];
  for (let i = 0; i < 60; i++) {
    if (i % 10 === 0) stage.connect();
    const text = `${i} ${"x".repeat(i * 100)}\n`;
    written.push(text);
    await run.input.write(new TextEncoder().encode(text));
    if (i % 10 === 5) await pause(10);
    if (i % 10 === 8) stage.cut();
  }
  run.input.end();
  stage.connect();
  assert.deepEqual(await run.ended(), { code: 0 });
  assert.equal(stage.text("stdout"), written.join(""));
});

runTest("a signal reaches the program and what it has started, even if it was sent while the connection was lost", async (stage) => {
  stage.connect();
  const run = stage.run(`trap 'echo got; exit 7' INT; echo ready; sleep 60 & wait`);
  await stage.printed("ready");
  stage.cut();
  stage.client.ask({ do: "signal", run: run.number, signal: "SIGINT" });
  stage.connect();
  assert.deepEqual(await run.ended(), { code: 7 });
  assert.equal(stage.text("stdout"), "ready\ngot\n");
});

runTest("a signal is sent once however often the connection is lost", async (stage) => {
  stage.connect();
  const run = stage.run(`n=0; trap 'n=$((n+1))' USR1; trap 'echo $n; exit' TERM; echo ready; while :; do sleep 0.02; done`);
  await stage.printed("ready");
  stage.client.ask({ do: "signal", run: run.number, signal: "SIGUSR1" });
  for (let i = 0; i < 5; i++) {
    await pause(20);
    stage.connect();
  }
  await pause(100);
  stage.client.ask({ do: "signal", run: run.number, signal: "SIGTERM" });
  await run.ended();
  assert.equal(stage.text("stdout"), "ready\n1\n");
});

runTest("a request that arrives twice, by two connections, is obeyed once", async (stage) => {
  stage.connect();
  const run = stage.run(`n=0; trap 'n=$((n+1))' USR1; trap 'echo $n; exit' TERM; echo ready; while :; do sleep 0.02; done`);
  await stage.printed("ready");
  const control = linkTo(stage.supervisor).session.open(encodePreamble({ for: "control" }));
  for (let times = 0; times < 3; times++) {
    control.write(encodeMessage({ seq: 2, do: "signal", run: 1, signal: "SIGUSR1" }));
    await pause(60);
  }
  control.write(encodeMessage({ seq: 3, do: "signal", run: 1, signal: "SIGTERM" }));
  await run.outputDone;
  assert.equal(stage.text("stdout"), "ready\n1\n");
});

runTest("a program that a signal ends has exit code 128 plus its number", async (stage) => {
  stage.connect();
  assert.deepEqual(await stage.run("kill -SEGV $$").ended(), { code: 139, signal: "SIGSEGV" });
});

runTest("a program that was altered in transit is not run", async (stage) => {
  stage.connect();
  const program = { ...bash("echo no"), sha256: "0".repeat(64) };
  const run = stage.client.start(program, executable("/"), false);
  await assert.rejects(run.ended(), /did not arrive as it was sent/);
  assert.equal(stage.text("stdout"), "");
});

runTest("sending a large program resumes where it was cut off", async (stage) => {
  const bytes = new TextEncoder().encode(`#!/bin/bash\nexit 9\n${"#".repeat(3_000_000)}`);
  let read = 0;
  let cuts = 0;
  const program: SentProgram = {
    ...sent(bytes),
    read: async (offset) => {
      const piece = bytes.subarray(offset, offset + 50_000);
      read += piece.length;
      if (cuts < 4 && read > (cuts + 1) * 500_000) {
        cuts++;
        setTimeout(() => stage.connect(), 1);
      }
      await pause(0);
      return piece.length > 0 ? piece : null;
    },
  };
  stage.connect();
  const run = stage.client.start(program, executable("/"), false);
  assert.deepEqual(await run.ended(), { code: 9 });
  assert.equal(cuts, 4);
  // Each cut costs what was under way, never the whole.
  assert.ok(read < bytes.length * 1.8, `${read} bytes were read of ${bytes.length}`);
});

runTest("a started program is not offered again on the next connection, and may be removed", async (stage) => {
  stage.connect();
  let removed = false;
  let again = 0;
  const program = bash("echo ready; read; exit 3");
  const read = (offset: number) => {
    if (removed) again++;
    return program.read(offset);
  };
  const run = stage.client.start({ ...program, read, taken: () => void (removed && again++) }, executable("/"), true);
  await run.started;
  removed = true;
  stage.connect();
  run.input.end();
  assert.deepEqual(await run.ended(), { code: 3 });
  assert.deepEqual([stage.text("stdout"), again], ["ready\n", 0]);
});

runTest("a script is the main module of the Pod's Deno, and its stack traces show only its own frames", async (stage) => {
  stage.connect();
  const code = `console.log(import.meta.main, JSON.stringify(Deno.args)); Deno.exit(4);`;
  const wishes: RunSettings = { kind: "script", name: "x", args: ["a  b", "--c"], env: [], workdir: "/" };
  const run = stage.client.start(sent(new TextEncoder().encode(code)), wishes, false);
  assert.deepEqual(await run.ended(), { code: 4 });
  assert.equal(stage.text("stdout"), 'true ["a  b","--c"]\n');
});

runTest("a script gets the unstable Deno features that it was sent with", async (stage) => {
  stage.connect();
  const code = `console.log(typeof Deno.openKv, typeof Deno.cron);`;
  const wishes: RunSettings = { kind: "script", unstable: ["kv"], name: "x", args: [], env: [], workdir: "/" };
  await stage.client.start(sent(new TextEncoder().encode(code)), wishes, false).ended();
  assert.equal(stage.text("stdout"), "function undefined\n");
});

runTest("a later run replaces the previous one, which is asked to end and leaves no process behind", async (stage) => {
  stage.connect();
  const first = stage.run(`trap 'echo bye; exit' TERM; echo first; sleep 300 & echo $!; wait`);
  while (!/first\n\d+\n/.test(stage.text("stdout"))) await pause(10);
  const sleeper = Number(/first\n(\d+)/.exec(stage.text("stdout"))?.[1]);
  const second = stage.run("echo second; exit 5");
  assert.deepEqual(await second.ended(), { code: 5 });
  assert.match(stage.text("stdout"), /^first\n\d+\nbye\nsecond\n$/);
  assert.deepEqual(await first.ended(), { code: 0 });
  await assert.rejects(async () => {
    const state = await Deno.readTextFile(`/proc/${sleeper}/stat`);
    // Nobody may have waited for it yet.
    if (/\) Z /.test(state)) throw new Deno.errors.NotFound();
  }, Deno.errors.NotFound);
});

runTest("a terminal is the program's controlling terminal, with the client's size and each change of it", async (stage) => {
  stage.connect();
  const script = `trap 'stty size; echo resized' WINCH; [ -t 0 -a -t 1 -a -t 2 ] && stty size; while :; do sleep 0.02; done`;
  const run = stage.run(script, { terminal: { columns: 91, rows: 17 } }, true);
  await stage.printed("17 91\r\n");
  stage.client.ask({ do: "resize", run: run.number, columns: 40, rows: 9 });
  // Not just the size: Ctrl+C would end stty in the trap, and the loop would go on.
  await stage.printed("9 40\r\nresized\r\n");
  // Ctrl+C, typed.
  run.input.write(new Uint8Array([3]));
  assert.deepEqual(await run.ended(), { code: 130, signal: "SIGINT" });
});

runTest("a closed output ends the program at its next write, as a pipe does", async (stage) => {
  stage.connect();
  let broken = false;
  const client = new SupervisorClient(() => {
    broken = true;
    return Promise.reject(new Deno.errors.BrokenPipe());
  });
  client.attach(linkTo(stage.supervisor).session);
  const run = client.start(bash("yes"), executable("/"), false);
  const end = await run.ended();
  assert.ok(broken);
  assert.equal(end.code, 141);
});

runTest("a port of the program is reached, and one where nothing listens is refused with a sentence", async (stage) => {
  stage.connect();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void (async () => {
    for await (const connection of listener) void connection.readable.pipeTo(connection.writable).catch(() => {});
  })();
  const { stream } = await stage.client.openPort(listener.addr.port, new AbortController().signal);
  stream.write(new TextEncoder().encode("ping"));
  assert.equal(new TextDecoder().decode(await stream.read() ?? undefined), "ping");
  stream.reset();
  await assert.rejects(stage.client.openPort(1, new AbortController().signal), /nothing listens on port 1 in the Pod/);
});

runTest("a program that cannot be started says why", async (stage) => {
  stage.connect();
  await assert.rejects(stage.run("", { workdir: "/nix" }).ended(), /there is no folder \/nix in the Pod/);
  const text = sent(new Uint8Array([1, 2, 3]));
  const run = stage.client.start(text, executable("/"), false);
  await assert.rejects(run.ended(), /Exec format error/);
});

runTest(
  "the output of a program that is stopped with its Pod arrives complete, even if the connection is lost meanwhile",
  async (stage) => {
    stage.connect();
    const run = stage.run(`trap 'head -c 3000000 /dev/zero; echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done`);
    await stage.printed("ready");
    stage.cut();
    const stopped = stage.supervisor.stop(20_000);
    await pause(300);
    stage.connect();
    await stopped;
    // The Pod's process exits now.
    stage.cut();
    assert.deepEqual(await run.ended(), { code: 7, podStopped: true });
    assert.match(stage.text("stdout"), /^ready\n\0{3000000}bye\n$/);
  },
);

runTest("the wait for a stopped program's client is limited", async (stage) => {
  stage.connect();
  const run = stage.run("echo ready; sleep 60");
  await run.started;
  stage.cut();
  const late = pause(5_000).then(() => "late");
  assert.equal(await Promise.race([stage.supervisor.stop(0, 50).then(() => "stopped"), late]), "stopped");
});

runTest("arguments that are too long for a request are refused immediately, and the next program runs", async (stage) => {
  stage.connect();
  const args = ["x".repeat(9 * 1024 * 1024)];
  assert.throws(() => stage.run("exit 1", { args }), /arguments and environment are longer than 8 MiB/);
  assert.deepEqual(await stage.run("exit 3").ended(), { code: 3 });
});

runTest("a start with 1.5 MiB of environment and transfers over -p survive links that are cut while they are congested", async (stage) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void (async () => {
    for await (const connection of listener) void connection.readable.pipeTo(connection.writable).catch(() => {});
  })();
  const env = Array.from({ length: 15 }, (_, i) => [`V${i}`, "v".repeat(100_000)] as const);
  stage.connect();
  const run = stage.run(`[ "\${#V14}" = 100000 ] && head -c 5000000 /dev/zero`, { env });
  const ended = run.ended();
  const signal = AbortSignal.timeout(20_000);
  for (let cut = 0; cut < 6; cut++) {
    for (let i = 0; i < 4; i++) {
      void stage.client.openPort(listener.addr.port, signal).then(async ({ stream }) => {
        for (;;) await Promise.all([stream.write(new Uint8Array(200_000)), stream.read()]);
      }).catch(() => {});
    }
    await pause(3 * cut);
    stage.connect();
  }
  assert.deepEqual(await ended, { code: 0 });
  assert.equal(stage.outputs.stdout.reduce((sum, bytes) => sum + bytes.length, 0), 5_000_000);
});
