/** How the image's Deno is started: as which user, with which variables and arguments. Pure. @module */

/** Deno and the server in kurun's own image. */
export const DENO_PATH = "/usr/bin/deno";
export const SERVER_PATH = "/kurun/server.js";

/** The user that Pods and programs run as; distroless images use the same number. */
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
 * because the Pod has no place for one, and looking for it takes 10 ms of the 75 ms until the server starts. --unstable-net: two
 * sockets may listen on one port while a certificate changes (server/callers/tls_port.ts).
 */
const DENO_ARGS = [
  "run",
  "--v8-flags=--max-old-space-size=48,--max-semi-space-size=4",
  "--unstable-net",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--no-code-cache",
  "--no-prompt",
] as const;

/**
 * The server's permissions: to serve, to connect to its own Service to see whether callers can, to read its Secret, and to load a few
 * calls of the C library (server/net/socket_calls.ts). It drops the last one before the client connects.
 */
const SERVER_PERMISSIONS = ["--allow-net", "--allow-read=/kurun", "--allow-ffi"] as const;

/** The supervisor starts programs through the C library, which may do anything in the container; and Deno reads /sys only with all permissions. */
const SUPERVISOR_PERMISSIONS = ["--allow-all"] as const;

/** Deno's arguments that start the server at this path, to serve callers; the server's own arguments follow. */
export function serverArgs(server: string): string[] {
  return [...DENO_ARGS, ...SERVER_PERMISSIONS, server];
}

/** Deno's arguments that start the server at this path, to run programs; the server's own arguments follow. */
export function supervisorArgs(server: string): string[] {
  return [...DENO_ARGS, ...SUPERVISOR_PERMISSIONS, server];
}

/** The command that starts Deno and the server that were copied into a folder of a user's image: Deno gets its own dynamic loader. */
export function copiedSupervisorCommand(folder: string): string[] {
  return [`${folder}/ld.so`, "--library-path", `${folder}/lib`, `${folder}/deno`, ...supervisorArgs(`${folder}/server.js`)];
}
