import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The server could not be made into one file; the message ends with what Deno said. */
export class BundleError extends Error {
  override readonly name = "BundleError";
}

/**
 * Makes one JavaScript file of the server's source and all that it imports, by `deno bundle` of the Deno that runs.
 *
 * It is not minified: `--minify` on Deno 2.6.10, and `--minify --keep-names` on 2.9.6 too, leave `require("node:events")`
 * in packages such as ws without a `require`, and the server dies at its start. It starts as fast without.
 *
 * @param entry the server's `main.ts`, as a file: or https: URL
 * @throws BundleError where the source is wrong, a package cannot be fetched, or kurun is a compiled program
 */
export async function bundleServer(entry: URL, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
  if (Deno.build.standalone) {
    throw new BundleError("Cannot bundle the server: a compiled kurun has no compiler, only what was built into it");
  }
  const folder = await Deno.makeTempDir({ prefix: "kurun-bundle-" });
  try {
    const output = `${folder}/server.js`;
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--platform", "deno", "--output", output, entry.href],
      // Deno looks for deno.json, and in it for what "ws" means, from here upwards.
      ...entry.protocol === "file:" && { cwd: dirname(fileURLToPath(entry)) },
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdout: "null",
      stderr: "piped",
      ...options.signal && { signal: options.signal },
    }).output();
    options.signal?.throwIfAborted();
    if (!success) {
      // What follows is a Rust backtrace of Deno's own.
      const [said = ""] = new TextDecoder().decode(stderr).split("\n\nStack backtrace:");
      throw new BundleError(`Cannot bundle ${entry}: deno bundle (${Deno.version.deno}) said\n${said.trim()}`);
    }
    return new TextEncoder().encode(withoutHomePaths(await Deno.readTextFile(output)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Bundles name each module by its path from where they are made, so npm packages by the path to the user's cache: that would
 * tell who built an image, and make every user's another one. Only whole comment lines and keys of modules are changed.
 */
export function withoutHomePaths(source: string): string {
  return source.replace(/^(\/\/ | {2}")[^\n"]*\/npm\/[^\n"/]+\/(?=(?:@[\w.-]+\/)?[\w.-]+\/\d+\.\d)/gm, "$1npm/");
}
