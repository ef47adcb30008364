import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { ImageError } from "./image_error.ts";
import { runProgram } from "./run_program.ts";
import { removedAtEnd, temporaryFolder } from "./temporary_folder.ts";

/**
 * Bundles the server's source and all its imports into one JavaScript file, with `deno bundle` of the Deno that runs. It is not minified: it
 * starts just as fast, and its stack traces can be read.
 *
 * @param entry the server's `main.ts`, as a file: or https: URL
 * @throws ImageError if the source is wrong, a package cannot be fetched, or kurun is a compiled program
 */
export async function bundleServer(entry: URL, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
  if (Deno.build.standalone) {
    throw new ImageError("cannot bundle the server: a compiled kurun has no compiler; use the server that was built into it");
  }
  const folder = await temporaryFolder("kurun-bundle-");
  await using _ = removedAtEnd(folder);
  const output = `${folder}/server.js`;
  const { failure, stderr } = await runProgram(
    Deno.execPath(),
    ["bundle", "--quiet", "--platform", "deno", "--output", output, entry.href],
    {
      // Deno looks for deno.json, which defines what "ws" means, from here upwards.
      ...entry.protocol === "file:" && { cwd: dirname(fileURLToPath(entry)) },
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      signal: options.signal,
    },
  );
  if (failure !== undefined) {
    // A Rust backtrace of Deno's own follows.
    const [said = ""] = stderr.split("\n\nStack backtrace:");
    throw new ImageError(`cannot bundle kurun's server (${entry}): deno bundle of Deno ${Deno.version.deno} said\n${said.trim()}`);
  }
  return new TextEncoder().encode(asciiOnly(withoutHomePaths(await Deno.readTextFile(output))));
}

/**
 * Removes the user's cache folder from a bundle, which names npm modules by their path: it would reveal who built an image, and make each
 * user's image differ. Only whole comment lines and keys of modules are changed.
 */
export function withoutHomePaths(source: string): string {
  return source.replace(/^(\/\/ | {2}")[^\n"]*\/npm\/[^\n"/]+\/(?=(?:@[\w.-]+\/)?[\w.-]+\/\d+\.\d)/gm, "$1npm/");
}

/**
 * Escapes all characters beyond ASCII. V8 uses the bytes of an ASCII module in place; of any other it keeps a copy, with two bytes per
 * character if one is beyond Latin-1.
 *
 * @param source a module that has such characters only in strings, regular expressions and comments, and not in `String.raw`
 */
export function asciiOnly(source: string): string {
  return source.replace(/(\\*)([^\0-\x7f])/g, (_, backslashes: string, unit: string) => {
    // The last of an odd number is an escape of its own, which means nothing.
    const kept = backslashes.length % 2 === 0 ? backslashes : backslashes.slice(1);
    return `${kept}\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
