/**
 * Loaded into each kurun of a run before main.ts: writes down what it prints, which signals it gets and how it ends, so that every process
 * can be judged, also those whose test has passed.
 *
 * @module
 */
const folder = Deno.env.get("KURUN_WITNESS");
if (folder) watch(Deno.openSync(`${folder}/${Date.now()}-${Deno.pid}.jsonl`, { create: true, append: true }));

function watch(file: Deno.FsFile): void {
  const note = (kind: string, text: string) => {
    file.writeSync(new TextEncoder().encode(`${JSON.stringify([Date.now(), kind, text])}\n`));
  };
  note("start", JSON.stringify({ pid: Deno.pid, args: Deno.args }));
  for (const [name, stream] of [["stdout", Deno.stdout], ["stderr", Deno.stderr]] as const) {
    const write = stream.writeSync.bind(stream);
    stream.writeSync = (bytes) => {
      const count = write(bytes);
      note(name, new TextDecoder().decode(bytes.subarray(0, count)));
      return count;
    };
  }
  addEventListener("error", ({ error }) => note("unhandled", error?.stack ?? String(error)));
  addEventListener("unhandledrejection", ({ reason }) => note("unhandled", reason?.stack ?? String(reason)));
  // A test may kill it at any time afterwards, which nothing here sees.
  const told = (signal: string) => {
    note("signal", signal);
    Deno.unrefTimer(setInterval(() => note("alive", ""), 1_000));
  };
  const listen = Deno.addSignalListener;
  Deno.addSignalListener = (signal, listener) => {
    listen(signal, listener);
    if (["SIGINT", "SIGTERM", "SIGHUP"].includes(signal)) listen(signal, () => told(signal));
  };
  const { exit } = Deno;
  Deno.exit = (code) => {
    note("exit", String(code ?? 0));
    return exit(code);
  };
}
