/**
 * `deno task compile`: kurun as one executable, build/kurun (with .exe for Windows). Flags of `deno compile` pass through: `--target
 * x86_64-pc-windows-msvc`, `--output FILE`.
 *
 * A bundle is compiled, not the source: it starts faster, and holds what is used alone. The server goes in as a file, for a compiled kurun
 * has no compiler and could make no image without.
 *
 * @module
 */
import { bundleServer } from "../k8s/images/server_bundle.ts";

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL("build/compile/", ROOT);

/** The least that works: any file a kubeconfig names, any API server, any exec plugin, and who the user is. */
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-net", "--allow-env", "--allow-run", "--allow-sys=hostname,uid,gid,username"];

/** Makes the executable. @returns the exit code of what failed, else 0 */
async function compile(flags: readonly string[]): Promise<number> {
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.writeFile(new URL("server.js", FOLDER), await bundleServer(new URL("server/main.ts", ROOT)));
  const bundled = await deno("bundle", "--quiet", "--platform", "deno", "--output", "build/compile/kurun.js", "main.ts");
  if (bundled !== 0) return bundled;
  const target = flags.find((_, at) => flags[at - 1] === "--target") ?? Deno.build.target;
  const output = flags.includes("--output") ? [] : ["--output", `build/kurun${target.includes("windows") ? ".exe" : ""}`];
  return await deno(
    ...["compile", "--quiet", "--no-check", "--no-prompt", ...PERMISSIONS, "--include", "build/compile/server.js"],
    ...[...output, ...flags, "build/compile/kurun.js"],
  );
}

/** Runs the Deno that runs this, in the project's folder. DENORT_BIN, where it is set, is what `deno compile` puts the program into. */
async function deno(...args: string[]): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env: { DENO_NO_UPDATE_CHECK: "1" }, stdin: "null" }).spawn()
    .status;
  return code;
}

if (import.meta.main) Deno.exit(await compile(Deno.args));
