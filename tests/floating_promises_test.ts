import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { floatingPromises } from "./floating_promises.ts";
import { sourceFiles } from "./source_files.ts";
import { typedProgram } from "./typed_program.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Each line that ends in `// !` drops a promise; no other does. */
const PLANTED = `
import { connect } from "node:net";
declare function work(): Promise<number>;
/** Never rejects. */
declare function quiet(): Promise<number>;
declare const maybe: Promise<void> | undefined;
declare const stream: { write(data: Uint8Array): Promise<void> };
declare function listen(on: { ended: () => void; each?: (n: number) => void }): void;
declare function run(task: () => unknown): void;
interface Observer { ended(): void; told(): void; asked(): Promise<void> }

export async function statements(writer: WritableStreamDefaultWriter<Uint8Array>, process: Deno.ChildProcess): Promise<void> {
  stream.write(new Uint8Array()); // !
  work(); // !
  await work();
  void work(); // !
  // Never rejects: it is declared only.
  void work();
  void quiet();
  /** Never rejects. */
  const silent = async () => await Promise.resolve();
  void silent();
  const options = {
    // Never rejects: it is declared only.
    started: () => void work(),
    ended: () => void work(), // !
  };
  void options;
  void (async () => await work())(); // !
  maybe?.then(() => {}); // !
  maybe; // !
  work().then(() => {}); // !
  work().then(() => {}, () => {});
  work().then(() => {}, async () => await work()); // !
  work().then(async () => await work(), () => {}); // !
  work().then(() => {}, undefined); // !
  work().then(() => {}).catch(() => {});
  work().catch(() => {}).then(() => {}); // !
  work().catch(() => {}).finally(() => {});
  work().finally(() => {}); // !
  work().catch(); // !
  work().catch(async () => await work()); // !
  work().catch(undefined); // !
  (async () => await work())(); // !
  new Promise((resolve) => setTimeout(resolve, 1)); // !
  Promise.all([work(), work()]); // !
  [1, 2].map(async (n) => await Promise.resolve(n)); // !
  Math.random() > 0.5 && work(); // !
  Math.random() > 0.5 ? work() : undefined; // !
  (work(), 1); // !
  const kept = work();
  let later: Promise<number> | undefined;
  later ??= work();
  await Promise.all([kept, later]);
  writer.write(new Uint8Array()); // !
  process.status.then(() => {}); // !
  Deno.writeTextFile("/dev/null", ""); // !
  fetch("http://localhost"); // !
  process.kill("SIGINT");
}

export function callbacks(signal: AbortSignal): Observer {
  const socket = connect(1);
  socket.on("data", async () => await work()); // !
  socket.on("data", () => {});
  setTimeout(async () => await work(), 1); // !
  setTimeout(() => work(), 1); // !
  setTimeout(work, 1); // !
  setTimeout(() => { work().catch(() => {}); }, 1);
  signal.addEventListener("abort", () => work()); // !
  signal.addEventListener("abort", work); // !
  new Promise(async (resolve) => resolve(await work())).catch(() => {}); // !
  [1].forEach(async () => await work()); // !
  listen({ ended: async () => await work().then(() => {}) }); // !
  listen({ ended: () => {}, each: async (n) => await Promise.resolve(n).then(() => {}) }); // !
  listen({ async ended() { await work(); } }); // !
  const ended = async () => await work().then(() => {});
  listen({ ended }); // !
  run(async () => await work());
  [1].map(() => work()).length;
  const handler: () => void = ended; // !
  handler();
  return { ended: work, told: () => {}, asked: async () => await work().then(() => {}) }; // !
}

export const given = (): (() => void) => async () => await work(); // !

export class Watcher implements Observer {
  async ended() { await work(); } // !
  told(): void {}
  async asked(): Promise<void> { await work(); }
}

export async function guarded(): Promise<number | undefined> {
  try {
    if (Math.random() > 0.5) return work(); // !
    if (Math.random() > 0.5) return await work();
    const inner = () => { return work(); };
    await inner();
  } catch {
    return work();
  }
  try {
    await work();
  } catch {
    return work(); // !
  } finally {
    await work();
  }
  {
    using file = Deno.openSync("/dev/null");
    if (file) return work(); // !
  }
  if (work()) return 1; // !
  if (!work()) return 2; // !
  if (maybe) return 3;
  return work();
}
`;

Deno.test("no promise of the product's code is left without a handler; planted ones are found", async () => {
  const paths = (await sourceFiles()).map(({ path }) => path);
  const program = await typedProgram(paths, { "planted.ts": PLANTED });
  const look = (names: readonly string[]) => floatingPromises(program, names.flatMap((name) => program.getSourceFile(ROOT + name) ?? []));

  const planted = PLANTED.split("\n").flatMap((line, index) => line.endsWith("// !") ? [index + 1] : []);
  assert.deepEqual([...new Set(look(["planted.ts"]).map(({ line }) => line))], planted);

  assert.deepEqual(look(paths).map(({ path, line, what }) => `${path.slice(ROOT.length)}:${line}: ${what}`), []);
});
