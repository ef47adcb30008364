/**
 * `deno task docs`: writes docs/cli.md and the man pages from the commands, and docs/rbac-*.yaml from the table of rights. `--check`
 * only checks that they are current.
 *
 * @module
 */
import type { Command } from "commander";
import { roleText } from "../cli/doctor/role_text.ts";
import { manPages } from "../cli/man_pages.ts";
import { program } from "../cli/program.ts";
import { reference } from "../cli/reference.ts";
import { servicesOf, WEBHOOK_PREFIX } from "../cli/session/default_service.ts";
import { PURPOSES } from "../k8s/session/role_rules.ts";

const ROOT = new URL("../", import.meta.url);

/** The files, by their path. */
async function generated(): Promise<Map<string, string>> {
  const kurun = await commands();
  const roles = PURPOSES.map((purpose) => {
    const services = servicesOf([purpose], purpose === "webhook" ? `${WEBHOOK_PREFIX}NAME` : undefined, "");
    return [`docs/rbac-${purpose}.yaml`, roleText({ purposes: [purpose], services })] as const;
  });
  return new Map([["docs/cli.md", reference(kurun)], ...roles, ...await datedManPages(kurun)]);
}

/** The man pages. Each keeps its date while nothing else in it changes. */
async function datedManPages(kurun: Command): Promise<[path: string, text: string][]> {
  const today = new Date().toISOString().slice(0, 10);
  const pages = manPages(kurun, () => today);
  return await Promise.all([...pages].map(async ([file, page]): Promise<[string, string]> => {
    const old = await current(`man/${file}`);
    const [date] = /\d{4}-\d\d-\d\d/.exec(old) ?? [today];
    return [`man/${file}`, page.replace(today, date) === old ? old : page];
  }));
}

/** The text of a file as it is; empty if there is none. */
function current(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT)).catch(() => "");
}

/** All commands, with a context that has nothing: no arguments, environment or terminal. */
async function commands(): Promise<Command> {
  return await program({
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
  });
}

if (import.meta.main) {
  for (const [path, text] of await generated()) {
    if (!Deno.args.includes("--check")) await Deno.writeTextFile(new URL(path, ROOT), text);
    else if (await current(path) !== text) {
      Deno.stderr.writeSync(new TextEncoder().encode(`${path} is out of date: run deno task docs\n`));
      Deno.exit(1);
    }
  }
}
