/**
 * The program in the Pod: a control port where the session's client connects, and request ports whose callers it serves.
 * It runs on the image's Deno and knows nothing about Kubernetes.
 *
 * @module
 */
import { AdmissionFallback } from "./callers/admission_fallback.ts";
import { parseServerArgs, type ServerConfig } from "./config.ts";
import { drain } from "./callers/drain.ts";
import { LiveClient } from "./control/live_client.ts";
import { OpenCallers } from "./callers/open_callers.ts";
import { ReachCheck } from "./control/reach_check.ts";
import { openRequestPort, type RequestPort } from "./callers/request_port.ts";
import { sparingly } from "./net/sparing_log.ts";
import { logUnhandledErrors } from "./unhandled_errors.ts";
import { acceptClient, stopOnSignals } from "./pod_process.ts";
import { tlsOfFiles } from "./callers/tls_files.ts";
import { seedRandom } from "../tunnel/seed_random.ts";

if (import.meta.main) {
  seedRandom();
  logUnhandledErrors(sparingly(log));
  try {
    const config = parseServerArgs(Deno.args);
    const { run, base, copyBase: copies } = config;
    if (copies && base !== undefined) await (await import("./run/copy_base.ts")).copyBase(base);
    else if (run === undefined) await serve(config);
    else await (await import("./run_pod.ts")).serveRuns({ ...config, run }, log, Deno.exit);
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}

async function serve(config: ServerConfig): Promise<void> {
  const live = new LiveClient();
  const reach = new ReachCheck(config.services);
  const callers = new OpenCallers();
  const ports: RequestPort[] = [];
  stopOnSignals(() => drain({ live, callers, ports, log }), (failed) => Deno.exit(failed ? 1 : 0), log);
  const files = config.tlsDir === undefined ? undefined : await tlsOfFiles(config.tlsDir, config.alpn, log);
  const fallback = config.fallback === "allow" ? new AdmissionFallback(live, sparingly(log)) : undefined;
  for (const port of config.requestPorts) {
    const { session, holdMs, verbose } = config;
    ports.push(openRequestPort({ port, session, live, reach, callers, holdMs, fallback, tls: files?.tls, log, verbose }));
  }
  await acceptClient(config, [], { live, reach, log });
  Deno.permissions.revokeSync({ name: "ffi" });
  log(`session ${config.session}: control port ${config.controlPort}, request ports ${config.requestPorts.join(", ")}`);
}

function log(line: string): void {
  // deno-lint-ignore no-console -- this program's only output
  console.error(`${new Date().toISOString()} ${line}`);
}
