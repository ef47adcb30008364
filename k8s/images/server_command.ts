/**
 * How the image's Deno is started. Pure.
 *
 * @module
 */

/** Deno, and the server's one file, in the image. */
export const DENO_PATH = "/usr/bin/deno";
export const SERVER_PATH = "/kurun/server.js";

/**
 * How Deno starts the server. The heap's limits keep the Pod at 140 MB under load instead of 190, and no slower. The code
 * cache stays off since there is nowhere to keep it: looking for a place costs 10 ms of 75.
 */
const DENO_ARGS = [
  "run",
  "--v8-flags=--max-old-space-size=48,--max-semi-space-size=4",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--no-code-cache",
  "--no-prompt",
] as const;

/**
 * All that the server may do: serve, connect to its own Service to see whether callers can, read its Secret, and let ws look at its
 * two switches.
 */
const SERVER_PERMISSIONS = [
  "--allow-net",
  "--allow-read=/kurun",
  "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
] as const;

/** The supervisor starts programs by the C library, which may do anything that the container may; /sys is read with all rights alone. */
const SUPERVISOR_PERMISSIONS = ["--allow-all"] as const;

/** The command of a Pod that serves callers, which is also the image's own. */
export const SERVER_COMMAND: readonly string[] = [DENO_PATH, ...DENO_ARGS, ...SERVER_PERMISSIONS, SERVER_PATH];

/** The same in an image that the server was copied into: its Deno starts by its own dynamic loader. */
export function copiedSupervisorCommand(folder: string): readonly string[] {
  const deno = [`${folder}/ld.so`, "--library-path", `${folder}/lib`, `${folder}/deno`];
  return [...deno, ...DENO_ARGS, ...SUPERVISOR_PERMISSIONS, `${folder}/server.js`];
}

/** The command of a Pod that runs programs. */
export const SUPERVISOR_COMMAND: readonly string[] = [DENO_PATH, ...DENO_ARGS, ...SUPERVISOR_PERMISSIONS, SERVER_PATH];
