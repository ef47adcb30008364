/**
 * What the server does as the Pod's process, whether it serves callers or runs programs.
 *
 * @module
 */
import { importKey } from "../tunnel/mod.ts";
import type { ServerConfig } from "./config.ts";
import { type ControlPortOptions, openControlPort } from "./control/control_port.ts";

/** Accepts the session's client, with the key and the certificate of the session's Secret. */
export async function acceptClient(
  config: ServerConfig,
  capabilities: readonly string[],
  options: Pick<ControlPortOptions, "live" | "reach" | "onStream" | "log">,
): Promise<void> {
  openControlPort({
    ...options,
    port: config.controlPort,
    cert: await Deno.readTextFile(`${config.secretDir}/tls.crt`),
    key: await Deno.readTextFile(`${config.secretDir}/tls.key`),
    handshake: {
      key: await importKey(await Deno.readFile(`${config.secretDir}/key`)),
      hello: { capabilities, session: config.session, instance: config.instance, who: "kurun-server", from: config.instance },
    },
  });
}

/**
 * Stops at the first signal, and exits immediately at the second. Call it before anything else: process 1 of a container ignores signals
 * without a listener until the Pod's grace period is over.
 * @param exit ends the process, with whether stopping failed
 */
export function stopOnSignals(stop: () => Promise<void>, exit: (failed: boolean) => void, log: (line: string) => void): void {
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      log(`stopped by ${signal}`);
      if (stopping) return exit(false);
      stopping = true;
      stop().then(() => exit(false), (error) => {
        log(`stopping failed: ${error.message}`);
        exit(true);
      });
    });
  }
}
