/**
 * The program in the Pod: a control port where the session's client connects, and request ports whose callers it serves.
 * It runs on the image's Deno and knows nothing about Kubernetes.
 *
 * @module
 */
import type { Server } from "node:net";
import { importKey } from "../tunnel/mod.ts";
import { AdmissionFallback } from "./callers/admission_fallback.ts";
import { parseServerArgs, type ServerConfig } from "./config.ts";
import { openControlPort } from "./control/control_port.ts";
import { copyBase } from "./run/copy_base.ts";
import { drain } from "./callers/drain.ts";
import { LiveClient } from "./control/live_client.ts";
import { OpenCallers } from "./callers/open_callers.ts";
import { ReachCheck } from "./control/reach_check.ts";
import { openRequestPort } from "./callers/request_port.ts";
import { sparingly } from "./net/sparing_log.ts";
import { logUnhandledErrors } from "./unhandled_errors.ts";
import { serveRuns } from "./run_pod.ts";
import { serveTlsFiles } from "./callers/tls_files.ts";
import { TlsTerminator } from "./callers/tls_terminator.ts";

if (import.meta.main) {
  logUnhandledErrors(sparingly(log, () => performance.now()));
  try {
    const config = parseServerArgs(Deno.args);
    const { run, base, copyBase: copies } = config;
    if (copies && base !== undefined) await copyBase(base);
    else if (run === undefined) await serve(config);
    else await serveRuns({ ...config, run }, log, Deno.exit);
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}

async function serve(config: ServerConfig): Promise<void> {
  const live = new LiveClient();
  const reach = new ReachCheck(config.services);
  const callers = new OpenCallers();
  const ports: Server[] = [];
  let stopping = false;
  // Before anything else: process 1 of a container ignores signals without a listener until the Pod's grace period is over.
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      log(`stopped by ${signal}`);
      if (stopping) Deno.exit(0);
      stopping = true;
      drain({ live, callers, ports, log }).then(() => Deno.exit(0), (error) => {
        log(`draining failed: ${error.message}`);
        Deno.exit(1);
      });
    });
  }
  const tls = config.tlsDir === undefined ? undefined : new TlsTerminator(config.alpn);
  if (tls) await serveTlsFiles({ dir: config.tlsDir as string, terminator: tls, log });
  const fallback = config.fallback === "allow"
    ? new AdmissionFallback(live, () => new Date(), sparingly(log, () => performance.now()))
    : undefined;
  for (const port of config.requestPorts) {
    const server = await openRequestPort({
      port,
      session: config.session,
      live,
      reach,
      callers,
      holdMs: config.holdMs,
      ...(fallback ? { fallback } : {}),
      ...(tls ? { tls } : {}),
      log,
      verbose: config.verbose,
    });
    ports.push(server);
  }
  await openControlPort({
    port: config.controlPort,
    cert: await Deno.readTextFile(`${config.secretDir}/tls.crt`),
    key: await Deno.readTextFile(`${config.secretDir}/tls.key`),
    handshake: {
      key: await importKey(await Deno.readFile(`${config.secretDir}/key`)),
      hello: { capabilities: [], session: config.session, instance: config.instance, who: "kurun-server", from: config.instance },
    },
    live,
    reach,
    log,
  });
  log(`session ${config.session}: control port ${config.controlPort}, request ports ${config.requestPorts.join(", ")}`);
}

function log(line: string): void {
  // deno-lint-ignore no-console -- this program's only output
  console.error(`${new Date().toISOString()} ${line}`);
}
