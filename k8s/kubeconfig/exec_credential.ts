/** Credentials from the user's own program: client-go's exec plugins (`client.authentication.k8s.io/v1` and `/v1beta1`). */

import { CredentialError } from "../api/cluster_access.ts";
import type { ExecEntry } from "./kubeconfig_entries.ts";

/** A plugin's credential: a token, a certificate with its key, or both. */
export interface ExecCredential {
  readonly token: string | undefined;
  readonly certPem: string | undefined;
  readonly keyPem: string | undefined;
}

/** How to run a program. */
export interface ExecCall {
  readonly command: string;
  readonly args: readonly string[];
  /** In addition to this process's own variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether it may read from standard input. */
  readonly interactive: boolean;
}

/** Runs a program; its standard error goes straight to the user. @throws Deno.errors.NotFound if it does not exist */
export type ExecRunner = (call: ExecCall) => Promise<{ code: number; stdout: string }>;

/** Runs a plugin as a child process. @param stderr "null" hides what it prints */
export async function runPlugin(
  { command, args, env, interactive }: ExecCall,
  stderr: "inherit" | "null" = "inherit",
): Promise<{ code: number; stdout: string }> {
  const stdin = interactive ? "inherit" : "null";
  const child = new Deno.Command(command, { args: [...args], env: { ...env }, stdin, stdout: "piped", stderr });
  const { code, stdout } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

/** A younger credential is kept after a 401, because several requests get their 401s one by one. In milliseconds. */
const FRESH_MS = 5_000;

const VERSIONS = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/** Runs the plugin when a credential is needed and there is none that is still valid. */
export class ExecCredentialSource {
  readonly #config: ExecEntry;
  readonly #options: ExecSourceOptions;
  #current: { credential: ExecCredential; since: number; expires: number } | undefined;
  #running: Promise<ExecCredential> | undefined;
  /** Of the last credential, even if it was discarded. */
  #expires = Infinity;

  /** @throws {CredentialError} if the configuration cannot be used */
  constructor(config: ExecEntry, options: ExecSourceOptions) {
    this.#config = config;
    this.#options = options;
    const { apiVersion = "", command = "", interactiveMode = "" } = config;
    const fail = (why: string) => new CredentialError(`Cannot use the exec plugin "${command}" of user "${options.user}": ${why}`);
    if (command === "") throw fail("it has no command");
    if (!VERSIONS.includes(apiVersion)) throw fail(`its apiVersion is "${apiVersion}", expected ${VERSIONS.join(" or ")}`);
    if (interactiveMode === "" && apiVersion.endsWith("/v1")) throw fail("its interactiveMode is missing");
    if (!["", "Never", "IfAvailable", "Always"].includes(interactiveMode)) {
      throw fail(`its interactiveMode is "${interactiveMode}", expected Never, IfAvailable or Always`);
    }
    if (interactiveMode === "Always" && !options.interactive) {
      throw fail("its interactiveMode is Always, and standard input is not a terminal");
    }
  }

  /** The credential. Concurrent calls share one run of the plugin. @throws CredentialError */
  async get(): Promise<ExecCredential> {
    if (this.#current !== undefined && this.#options.now() < this.#current.expires) return this.#current.credential;
    this.#running ??= this.#run().finally(() => this.#running = undefined);
    return await this.#running;
  }

  /** The time at which the last credential expired, in milliseconds since 1970; undefined if it is valid, or there is none. */
  expiredAt(): number | undefined {
    return this.#expires <= this.#options.now() ? this.#expires : undefined;
  }

  /** Discards the credential, unless it is only a few seconds old. */
  forget(): void {
    if (this.#current !== undefined && this.#options.now() - this.#current.since >= FRESH_MS) this.#current = undefined;
  }

  async #run(): Promise<ExecCredential> {
    const { apiVersion, command = "", args = [], env = [], installHint = "", provideClusterInfo, interactiveMode } = this.#config;
    const interactive = this.#options.interactive && interactiveMode !== "Never";
    const cluster = provideClusterInfo ? { cluster: await this.#options.cluster() } : {};
    const info = JSON.stringify({ apiVersion, kind: "ExecCredential", spec: { ...cluster, interactive } });
    const variables = Object.fromEntries(env.map(({ name = "", value = "" }) => [name, value]));
    const call = { command, args, env: { KUBERNETES_EXEC_INFO: info, ...variables }, interactive };
    const { code, stdout } = await this.#options.run(call).catch((cause) => {
      const why = cause instanceof Deno.errors.NotFound ? "the program was not found" : cause.message;
      throw this.#error(why + (installHint === "" ? "" : `\n\n${installHint.trim()}`), cause);
    });
    if (code !== 0) throw this.#error(`it failed with exit code ${code}`);
    const { credential, expires } = this.#parse(stdout);
    this.#current = { credential, since: this.#options.now(), expires };
    this.#expires = expires;
    return credential;
  }

  /** The plugin's output is never shown: it may contain the token. */
  #parse(stdout: string): { credential: ExecCredential; expires: number } {
    let answer;
    try {
      answer = JSON.parse(stdout);
    } catch {
      throw this.#error("its output is not JSON");
    }
    if (answer?.kind !== "ExecCredential") throw this.#error("its output is not an ExecCredential");
    if (answer.apiVersion !== this.#config.apiVersion) {
      throw this.#error(`its output has apiVersion ${JSON.stringify(answer.apiVersion)}, the kubeconfig says "${this.#config.apiVersion}"`);
    }
    const { token, clientCertificateData, clientKeyData, expirationTimestamp } = answer.status ?? {};
    const given = (value: unknown) => typeof value === "string" && value !== "" ? value : undefined;
    const credential = { token: given(token)?.trim(), certPem: given(clientCertificateData), keyPem: given(clientKeyData) };
    if ((credential.certPem === undefined) !== (credential.keyPem === undefined)) {
      throw this.#error("it returned a client certificate without its key, or a key without its certificate");
    }
    if (credential.token === undefined && credential.certPem === undefined) {
      throw this.#error("it returned neither a token nor a certificate");
    }
    const expires = given(expirationTimestamp) === undefined ? Infinity : Date.parse(expirationTimestamp);
    if (Number.isNaN(expires)) throw this.#error("its expirationTimestamp is not a time");
    return { credential, expires };
  }

  #error(why: string, cause?: unknown): CredentialError {
    const plugin = `the exec plugin "${this.#config.command}" of user "${this.#options.user}"`;
    return new CredentialError(`Cannot get credentials from ${plugin}: ${why}`, { cause });
  }
}

/** The environment of an {@linkcode ExecCredentialSource}. */
export interface ExecSourceOptions {
  /** The user's name in the kubeconfig. */
  readonly user: string;
  /** The spec's `cluster`, for plugins with provideClusterInfo. @throws {CredentialError} */
  readonly cluster: () => Promise<Readonly<Record<string, unknown>>>;
  /** Whether standard input is a terminal that nothing else reads from. */
  readonly interactive: boolean;
  readonly run: ExecRunner;
  /** The time, in milliseconds since 1970. */
  readonly now: () => number;
}
