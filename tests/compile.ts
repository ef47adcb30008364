/**
 * `deno task compile`: kurun as one executable, build/kurun (with .exe for Windows). Flags of `deno compile` are passed on: `--target
 * x86_64-pc-windows-msvc`, `--output FILE`.
 *
 * It compiles bundles instead of the source: that starts faster, and V8 reads only the code of the command that is called. The server is
 * included as a file, because a compiled kurun has no compiler to bundle it for an image.
 *
 * @module
 */
import { asciiOnly, bundleServer, withoutHomePaths } from "../k8s/images/server_bundle.ts";

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL("build/compile/", ROOT);

/**
 * A program that may run any other and write any file is not confined by restricting the rest. Without --allow-all Deno refuses /proc and
 * FFI: output was lost in non-blocking pipes, the terminal stopped `kurun run … &`, and Deno's own TLS with a client certificate needs the C
 * library (k8s/api/no_delay.ts).
 */
const PERMISSIONS = "--allow-all";

/**
 * The code cache of an executable is a file in /tmp whose name everybody can guess, and Deno trusts whoever made it: another user's would run
 * as kurun.
 */
const NO_CODE_CACHE = "--no-code-cache";

/**
 * Half of V8's young generation, at most, in MiB. It would grow to 16 and more, which is 20 to 45 MB of memory after a while of many requests.
 * The old generation has no limit, since manifests and lists may be large; but it is collected once it has grown by a fifth, or by 8 MB, and
 * not once it has doubled. That saves 5 to 9 MB, and nothing was slower.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=4,--heap-growing-percent=20";

/** Compiles the executable. @returns the exit code of the command that failed, or 0 */
async function compile(flags: readonly string[]): Promise<number> {
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {});
  await Deno.mkdir(FOLDER, { recursive: true });
  const bundled = await deno("bundle", "--quiet", "--platform", "deno", "--code-splitting", "--outdir", "build/compile", "main.ts");
  if (bundled !== 0) return bundled;
  for await (const { name } of Deno.readDir(FOLDER)) {
    const path = new URL(name, FOLDER);
    await Deno.writeTextFile(path, asciiOnly(withoutHomePaths(await Deno.readTextFile(path))));
  }
  await Deno.writeFile(new URL("server.js", FOLDER), await bundleServer(new URL("server/main.ts", ROOT)));
  const target = flags.find((_, at) => flags[at - 1] === "--target") ?? Deno.build.target;
  const output = flags.includes("--output") ? [] : ["--output", `build/kurun${target.includes("windows") ? ".exe" : ""}`];
  return await deno(
    ...["compile", "--quiet", "--no-check", "--no-prompt", V8_FLAGS, PERMISSIONS, NO_CODE_CACHE, "--include", "build/compile/server.js"],
    ...[...output, ...flags, "build/compile/main.js"],
  );
}

/** Runs this Deno in the project's folder. `deno compile` uses the denort in DENORT_BIN if that is set. */
async function deno(...args: string[]): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env: { DENO_NO_UPDATE_CHECK: "1" }, stdin: "null" }).spawn()
    .status;
  return code;
}

if (import.meta.main) Deno.exit(await compile(Deno.args));
