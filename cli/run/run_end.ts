import { basename, dirname, join, resolve } from "node:path";
import type { RunEnd } from "../../tunnel/mod.ts";
import { currentFolder } from "../command/current_folder.ts";
import { CGO_ADVICE } from "../builders/cgo_needed.ts";
import { exists } from "../builders/find_file.ts";
import type { ProgramSource } from "../builders/program_source.ts";

/** The signals that users end programs with, and the one that a closed pipe sends. */
const ORDINARY_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGPIPE"];
/** What to say of a program that ran out of memory. */
export const OUT_OF_MEMORY = "The program was killed (exit code 137): the Pod's memory ran out. Give it more with --limits memory=…";

/** Explains an end that the exit code alone does not explain. @param killedHere whether the user had kurun kill the program */
export function describeRunEnd(end: RunEnd, { killedHere }: { readonly killedHere: boolean }): string | undefined {
  if (end.outOfMemory) return OUT_OF_MEMORY;
  if (end.signal === "SIGKILL" && !killedHere) {
    return `The program was killed (SIGKILL, exit code ${end.code}), but not by kurun: by itself, or by the node, which may be out of memory`;
  }
  if (end.signal && !ORDINARY_SIGNALS.includes(end.signal)) return `The program was ended by ${end.signal} (exit code ${end.code})`;
  return undefined;
}

/** How Go, Deno and Node report a missing file: `open data.txt: no such file…`, `… (os error 2): readfile 'data.txt'`, `ENOENT: …, open 'data.txt'`. */
const MISSING_FILE = [
  /\b(?:open|stat|lstat|readlink|chdir) ([^\s:'"]+): no such file or directory/g,
  /\(os error 2\)[^\n]*?'([^'\n]+)'/g,
  /ENOENT: no such file or directory, \w+ '([^'\n]+)'/g,
];
/** Where programs are in the Pod: a script's `import.meta.url` is in it. */
const PROGRAM_FOLDER = "/kurun/program/";
/** What Go programs print when they were built without the cgo that they need, such as go-sqlite3's stub. */
const WITHOUT_CGO = /CGO_ENABLED=0|requires? cgo\b|cgo (?:is )?(?:not enabled|disabled|required)/i;

/** Explains a failure that comes from running in the cluster, if the end of the program's output points to one. */
export async function failureHint(tail: string, source: ProgramSource): Promise<string | undefined> {
  if (source.language === "go" && WITHOUT_CGO.test(tail)) {
    return `The program seems to need cgo, and ${CGO_ADVICE}`;
  }
  for (const [, path = ""] of MISSING_FILE.flatMap((pattern) => [...tail.matchAll(pattern)])) {
    if (!await isHere(path, source)) continue;
    const embed = source.language === "go" ? "Embed it with go:embed" : `Import it, as with { type: "text" }`;
    return `${basename(path)} is on this machine, but only the program itself runs in the Pod: files next to it are not sent.\n` +
      `  ${embed}, pass it as standard input, or mount it with --overrides.`;
  }
  return undefined;
}

/** Whether a file that was missing in the Pod exists where the program would have found it on this machine. */
async function isHere(path: string, source: ProgramSource): Promise<boolean> {
  const main = source.language === "go" ? resolve(source.folder, source.packages[0] ?? ".") : source.main;
  const folders = [currentFolder(), main, dirname(main)];
  const relative = path.startsWith(PROGRAM_FOLDER) ? path.slice(PROGRAM_FOLDER.length) : path;
  for (const folder of folders) if (await exists(join(folder, relative))) return true;
  return path.startsWith("/") && await exists(path);
}
