import { join, resolve } from "node:path";
import { BuildError } from "./build_error.ts";
import { type BuildOptions, type BuiltProgram, builtProgram } from "./built_program.ts";
import { CGO_ADVICE, cgoNeeded } from "./cgo_needed.ts";
import { goSays, goTarget, runGo } from "./go_command.ts";
import type { GoSource } from "./program_source.ts";

/** What `go` prints before it compiles; a compiler's errors follow a line `# PACKAGE`. */
const MODULE_TROUBLE =
  /^go: (?!downloading |finding |extracting )|^go: .*\bgo\.(?:mod|sum|work)\b|no required module provides package|missing go\.sum entry/m;
/** Leaves out the debuggers' symbols, a third of the file. Stack traces do not need them. */
const STRIPPED = "-ldflags=-s -w";

/** The file that {@link timeZones} adds. */
const TIME_ZONES_FILE = "kurun_time_zones.go";

/**
 * Builds a static Linux executable with the user's own `go`, which knows modules, workspaces, vendor folders, proxies and its cache. The same
 * source gives the same bytes on every machine. `kurun run` and `kurun apply` use the same flags, so they share compiled packages.
 * @throws BuildError, or the signal's reason
 */
export async function buildGo(source: GoSource, { stderr, signal, env = {}, ...options }: BuildOptions): Promise<BuiltProgram> {
  const architecture = await options.architecture;
  const target = { ...env, ...goTarget(architecture) };
  return await builtProgram({ kind: "executable", unstable: [] }, async (folder) => {
    const output = join(folder, "program");
    // The folder of a main package that has Go files for the architecture; anything else is no single line.
    const template = "{{if .GoFiles}}{{.Name}} {{.Dir}}{{end}}";
    const [goFlags = "", listed = ""] = await Promise.all([
      goSays(["env", "GOFLAGS"], source.folder, { env, signal }),
      goSays(["list", "-e", "-f", template, ...source.packages], source.folder, { env: target, signal }),
    ]);
    const [, main] = /^main (.+)$/.exec(listed.trim()) ?? [];
    const zones = main === undefined ? undefined : await timeZones(source, main, folder, goFlags);
    const flags = [
      // A stamp with the commit would make each commit another program, and it fails where git does.
      "-buildvcs=false",
      "-trimpath",
      // Our flag would replace the user's own linker flags (GOFLAGS=-ldflags=-X…).
      ...(/-ldflags\b/.test(goFlags) ? [] : [STRIPPED]),
      ...(zones?.flags ?? []),
    ];
    let said = "";
    const exitCode = await runGo(["build", ...flags, "-o", output, ...source.packages, ...(zones?.files ?? [])], {
      folder: source.folder,
      // Go's temporary files are then removed with the folder, even if go had to be killed.
      env: { ...target, GOTMPDIR: folder },
      stderr: (text) => {
        said += text;
        stderr(text);
      },
      signal,
    });
    if (exitCode !== 0) {
      const needed = await cgoNeeded(source, said, { architecture, env, signal });
      if (needed) throw new BuildError("needs-cgo", `${needed}, and ${CGO_ADVICE}`);
      const why = MODULE_TROUBLE.test(said) && !/^# /m.test(said)
        ? `before compiling (exit code ${exitCode}), because of the module or its packages`
        : `with exit code ${exitCode}`;
      throw new BuildError("failed", `go build failed ${why}: see above`);
    }
    if (await isExecutable(output)) return output;
    throw new BuildError("not-main", `${source.given} is a library, not a program: its package is not main`);
  });
}

/**
 * Adds Go's time zones, 450 KB, to the main package by an overlay with one more file. Unlike `-tags timetzdata`, it does not compile other
 * packages again. Go uses these zones only if the Pod's image has none. A user's own overlay (in GOFLAGS) becomes part of this one.
 * @returns undefined if the user's overlay cannot be read, which go reports
 */
async function timeZones(
  source: GoSource,
  main: string,
  folder: string,
  goFlags: string,
): Promise<{ flags: string[]; files: string[] } | undefined> {
  const [, quoted, plain] = /["']--?overlay=([^"']+)|-overlay=(\S+)/.exec(goFlags) ?? [];
  const users = quoted ?? plain;
  let replaced: Record<string, string> = {};
  try {
    if (users !== undefined) replaced = JSON.parse(await Deno.readTextFile(resolve(source.folder, users))).Replace;
  } catch {
    return undefined;
  }
  const [zones, overlay] = [join(folder, TIME_ZONES_FILE), join(folder, "overlay.json")];
  await Deno.writeTextFile(zones, 'package main\n\nimport (\n\t_ "time"\n\t_ "time/tzdata"\n)\n');
  await Deno.writeTextFile(overlay, JSON.stringify({ Replace: { ...replaced, [join(main, TIME_ZONES_FILE)]: zones } }));
  const named = source.packages.find((path) => path.endsWith(".go"));
  return { flags: [`-overlay=${overlay}`], files: named === undefined ? [] : [named.replace(/[^/]*$/, TIME_ZONES_FILE)] };
}

/** For a library `go build` writes an archive instead, and for several packages nothing. */
async function isExecutable(path: string): Promise<boolean> {
  using file = await Deno.open(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return null;
  });
  const magic = new Uint8Array(4);
  return await file?.read(magic) === 4 && new TextDecoder().decode(magic) === "\x7fELF";
}
