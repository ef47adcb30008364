import assert from "node:assert/strict";
import type { RunEnd } from "../../tunnel/mod.ts";
import { BuildError } from "../builders/build_error.ts";
import type { BuiltProgram } from "../builders/built_program.ts";
import { NotStartedError } from "./remote_run.ts";
import { buildUntilItWorks, watchProgram } from "./run_watch.ts";

const BUILT: BuiltProgram = { kind: "script", path: "", size: 1, sha256: "", unstable: [], dispose: () => Promise.resolve() };

/** A watched program whose changes, builds, starts and ends a test controls. */
class Watched {
  readonly lines: string[] = [];
  readonly signals = { asked: false, first: Promise.resolve() };
  readonly over: Promise<RunEnd>;
  build: () => Promise<BuiltProgram> = () => Promise.resolve(BUILT);
  start: () => Promise<void> = () => Promise.resolve();
  run: PromiseWithResolvers<RunEnd> = Promise.withResolvers();
  starts = 0;
  #changed = Promise.withResolvers<string[]>();
  #ask: () => void;

  constructor() {
    const first = Promise.withResolvers<void>();
    this.signals.first = first.promise;
    this.#ask = first.resolve;
    this.over = watchProgram({
      programs: {
        watch: () => Promise.resolve(),
        changed: () => this.#changed.promise,
        build: () => this.build(),
      },
      start: async () => {
        this.starts++;
        await this.start();
        this.run = Promise.withResolvers();
      },
      running: () => {
        const { promise } = this.run;
        return { ended: () => promise };
      },
      say: (line) => this.lines.push(line),
      signals: this.signals,
    });
  }

  async change(): Promise<void> {
    this.#changed.resolve([`${Deno.cwd()}/main.go`]);
    this.#changed = Promise.withResolvers();
    await settled();
  }

  async end(code: number): Promise<void> {
    this.run.resolve({ code });
    await settled();
  }

  async interrupt(): Promise<void> {
    this.signals.asked = true;
    this.#ask();
    await settled();
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("a program that is interrupted during the next build ends, and the next does not start", async () => {
  const watched = new Watched();
  const built = Promise.withResolvers<BuiltProgram>();
  watched.build = () => built.promise;
  await watched.change();
  await watched.interrupt();
  built.resolve(BUILT);
  await settled();
  await watched.end(7);
  assert.deepEqual([await watched.over, watched.starts, watched.lines], [{ code: 7 }, 0, ["main.go changed: building"]]);
});

Deno.test("an interruption does not wait for a build", async () => {
  const watched = new Watched();
  watched.build = () => new Promise(() => {});
  await watched.change();
  await watched.interrupt();
  await watched.end(130);
  assert.deepEqual(await watched.over, { code: 130 });
});

Deno.test("after a replacement failed to start, Ctrl+C ends with the end of the run before", async () => {
  const watched = new Watched();
  watched.start = () => Promise.reject(new NotStartedError("Exec format error"));
  await watched.change();
  await watched.end(143);
  assert.deepEqual(watched.lines.slice(1), [
    "the program could not be started: Exec format error",
    "The program ended with exit code 143: waiting for a change",
  ]);
  await watched.interrupt();
  assert.deepEqual(await watched.over, { code: 143 });
});

Deno.test("a failed or too large build is reported, and the program before goes on and is replaced later", async () => {
  const watched = new Watched();
  watched.build = () => Promise.reject(new BuildError("too-large", "the program is 600 MB; the limit is 536 MB"));
  await watched.change();
  watched.build = () => Promise.resolve(BUILT);
  await watched.change();
  await watched.interrupt();
  await watched.end(5);
  assert.deepEqual([await watched.over, watched.starts], [{ code: 5 }, 1]);
  assert.deepEqual(watched.lines, [
    "main.go changed: building",
    "the program is 600 MB; the limit is 536 MB; the previous program keeps running",
    "main.go changed: building",
  ]);
});

Deno.test("a failed first build waits for a change, unless no change can fix it", async () => {
  const lines: string[] = [];
  const failures = [
    new BuildError("failed", "go build failed with exit code 1: see above"),
    new BuildError("too-large", "the program has 2000 MB"),
  ];
  let watches = 0;
  const programs = {
    watch: () => Promise.resolve(void watches++),
    changed: () => Promise.resolve([`${Deno.cwd()}/main.go`]),
    build: () => failures.length > 0 ? Promise.reject(failures.shift()) : Promise.resolve(BUILT),
  };
  assert.equal(await buildUntilItWorks(programs, (line) => lines.push(line)), BUILT);
  assert.equal(watches, 2);
  assert.deepEqual(lines.filter((_, at) => at % 3 !== 0), [
    "Waiting for a change",
    "main.go changed: building",
    "Waiting for a change",
    "main.go changed: building",
  ]);
  assert.match(lines[0] ?? "", /^error: go build/);
  const lost = new BuildError("no-go", "go was not found");
  await assert.rejects(buildUntilItWorks({ ...programs, build: () => Promise.reject(lost) }, () => {}), lost);
  const interrupted = new Error("interrupted");
  failures.push(new BuildError("failed", "go build failed with exit code 1: see above"));
  await assert.rejects(buildUntilItWorks({ ...programs, changed: () => Promise.reject(interrupted) }, () => {}), interrupted);
});
