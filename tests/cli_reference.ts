/**
 * `deno task docs`: writes docs/cli.md from the commands. `--check` only checks that it is current.
 *
 * @module
 */
import { program } from "../cli/program.ts";
import { reference } from "../cli/reference.ts";

const FILE = new URL("../docs/cli.md", import.meta.url);

/** The reference of the commands, built with a context that has nothing: no arguments, environment or terminal. */
function documented(): string {
  return reference(program({
    args: [],
    program: "kurun",
    env: () => undefined,
    home: undefined,
    who: "",
    from: "",
    data: () => {},
    stdout: () => {},
    stderr: () => {},
    describe: () => ({ text: "", exitCode: 0 }),
    stdio: {
      readable: false,
      stdinIsTerminal: false,
      stdoutIsTerminal: false,
      read: () => Promise.resolve(null),
      write: () => Promise.resolve(),
      setRaw: () => {},
      size: () => ({ columns: 80, rows: 24 }),
      onResize: () => () => {},
      takeSignals: () => () => {},
    },
    interrupted: new AbortController().signal,
    leave: () => {},
    now: () => 0,
    date: () => new Date(0),
    random: (bytes) => new Uint8Array(bytes),
  }));
}

if (import.meta.main) {
  const text = documented();
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(FILE, text);
  else if (await Deno.readTextFile(FILE).catch(() => "") !== text) {
    Deno.stderr.writeSync(new TextEncoder().encode("docs/cli.md is out of date: run deno task docs\n"));
    Deno.exit(1);
  }
}
