/**
 * `deno task compile`: kurun as one executable, build/kurun (with .exe for Windows). Flags of `deno compile` are passed on: `--target
 * x86_64-pc-windows-msvc`, `--output FILE`.
 *
 * It compiles a bundle instead of the source: that starts faster and contains only what is used. The server is included as a file, because a
 * compiled kurun has no compiler to bundle it for an image.
 *
 * @module
 */
import { bundleServer } from "../k8s/images/server_bundle.ts";

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL("build/compile/", ROOT);

/** The least permissions that work: any file that a kubeconfig names, any API server, any exec plugin, and the user's name. */
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-net", "--allow-env", "--allow-run", "--allow-sys=hostname,uid,gid,username"];

/**
 * Half of V8's young generation, at most, in MiB. It would grow to 16 and more, which is 20 to 45 MB of memory after a while of many requests,
 * and they are answered no faster. The old generation has no limit: manifests and lists may be large.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=4";

/** Compiles the executable. @returns the exit code of the command that failed, or 0 */
async function compile(flags: readonly string[]): Promise<number> {
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.writeFile(new URL("server.js", FOLDER), await bundleServer(new URL("server/main.ts", ROOT)));
  const bundled = await deno("bundle", "--quiet", "--platform", "deno", "--output", "build/compile/kurun.js", "main.ts");
  if (bundled !== 0) return bundled;
  const target = flags.find((_, at) => flags[at - 1] === "--target") ?? Deno.build.target;
  const output = flags.includes("--output") ? [] : ["--output", `build/kurun${target.includes("windows") ? ".exe" : ""}`];
  return await deno(
    ...["compile", "--quiet", "--no-check", "--no-prompt", V8_FLAGS, ...PERMISSIONS, "--include", "build/compile/server.js"],
    ...[...output, ...flags, "build/compile/kurun.js"],
  );
}

/** Runs this Deno in the project's folder. `deno compile` uses the denort in DENORT_BIN if that is set. */
async function deno(...args: string[]): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env: { DENO_NO_UPDATE_CHECK: "1" }, stdin: "null" }).spawn()
    .status;
  return code;
}

if (import.meta.main) Deno.exit(await compile(Deno.args));
