/** How the image's Deno is started: as which user, with which variables and arguments. Pure. @module */

/** Deno and the server in the image. */
export const DENO_PATH = "/usr/bin/deno";
export const SERVER_PATH = "/kurun/server.js";

/** The user that programs run as; distroless images use the same number. */
export const IMAGE_USER = 65532;

/**
 * NO_COLOR because Deno 2.9 colors errors in logs too. DENO_DIR and HOME because /tmp is the only place that may be writable.
 * DENO_USE_CGROUPS so that programs see the Pod's memory and not the node's.
 */
export const DENO_ENVIRONMENT = {
  PATH: "/usr/bin",
  HOME: "/tmp",
  DENO_DIR: "/tmp/deno",
  DENO_NO_UPDATE_CHECK: "1",
  DENO_USE_CGROUPS: "1",
  NO_COLOR: "1",
} as const;

/**
 * How Deno starts the server. The heap limits keep the Pod at 140 MB under load instead of 190 MB, at the same speed. The code cache is off
 * because there is no place for it: looking for one costs 10 ms of 75.
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
 * The server's permissions: to serve, to connect to its own Service to see whether callers can, to read its Secret, and for ws to read its
 * two switches.
 */
const SERVER_PERMISSIONS = [
  "--allow-net",
  "--allow-read=/kurun",
  "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
] as const;

/** The supervisor starts programs through the C library, which may do anything in the container; and Deno reads /sys only with all permissions. */
const SUPERVISOR_PERMISSIONS = ["--allow-all"] as const;

/** The command of a Pod that serves callers, and of the image. */
export const SERVER_COMMAND: readonly string[] = [DENO_PATH, ...DENO_ARGS, ...SERVER_PERMISSIONS, SERVER_PATH];

/** The supervisor's command in a user's image that the server was copied into: its Deno starts with its own dynamic loader. */
export function copiedSupervisorCommand(folder: string): readonly string[] {
  const deno = [`${folder}/ld.so`, "--library-path", `${folder}/lib`, `${folder}/deno`];
  return [...deno, ...DENO_ARGS, ...SUPERVISOR_PERMISSIONS, `${folder}/server.js`];
}

/** The command of a Pod that runs programs. */
export const SUPERVISOR_COMMAND: readonly string[] = [DENO_PATH, ...DENO_ARGS, ...SUPERVISOR_PERMISSIONS, SERVER_PATH];
