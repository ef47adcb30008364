/**
 * `deno task docs`: writes docs/cli.md from the commands, and docs/rbac.yaml and docs/rbac-run.yaml from the table of rights. `--check`
 * only checks that they are current.
 *
 * @module
 */
import { roleText } from "../cli/doctor/role_text.ts";
import { program } from "../cli/program.ts";
import { reference } from "../cli/reference.ts";

const FILES: Readonly<Record<string, () => string | Promise<string>>> = {
  "cli.md": documented,
  "rbac.yaml": () => roleText({ purposes: ["port-forward"], service: "kurun" }),
  "rbac-run.yaml": () => roleText({ purposes: ["run"], service: "kurun" }),
};

/** The reference of the commands, built with a context that has nothing: no arguments, environment or terminal. */
async function documented(): Promise<string> {
  return reference(
    await program({
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
    }),
  );
}

if (import.meta.main) {
  for (const [name, write] of Object.entries(FILES)) {
    const file = new URL(`../docs/${name}`, import.meta.url);
    if (!Deno.args.includes("--check")) await Deno.writeTextFile(file, await write());
    else if (await Deno.readTextFile(file).catch(() => "") !== await write()) {
      Deno.stderr.writeSync(new TextEncoder().encode(`docs/${name} is out of date: run deno task docs\n`));
      Deno.exit(1);
    }
  }
}
