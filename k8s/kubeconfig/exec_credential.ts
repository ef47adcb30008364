/**
 * Credentials from a program of the user's: client-go's exec plugins,
 * `client.authentication.k8s.io/v1` and `/v1beta1`.
 *
 * @module
 */

import { CredentialError } from "../api/cluster_access.ts";

/** The kubeconfig's `exec`. */
export interface ExecConfig {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly installHint: string;
  readonly provideClusterInfo: boolean;
  /** Empty where the file says nothing. */
  readonly interactiveMode: "" | "Never" | "IfAvailable" | "Always";
}

/** What a plugin gives: a token, or a certificate with its key, or both. */
export interface ExecCredential {
  readonly token: string | undefined;
  readonly certPem: string | undefined;
  readonly keyPem: string | undefined;
}

/** A program to be run. */
export interface ExecCall {
  readonly command: string;
  readonly args: readonly string[];
  /** In addition to this process's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether it may read from the terminal. */
  readonly interactive: boolean;
}

/** Runs a program whose standard error goes to the user as it comes. @throws Deno.errors.NotFound when there is no such program */
export type ExecRunner = (call: ExecCall) => Promise<{ code: number; stdout: string }>;

/** Runs a plugin as a child process. */
export const runPlugin: ExecRunner = async (call) => {
  const { code, stdout } = await new Deno.Command(call.command, {
    args: [...call.args],
    env: { ...call.env },
    stdin: call.interactive ? "inherit" : "null",
    stdout: "piped",
    stderr: "inherit",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout) };
};

/** A credential that is younger is not asked for again after a 401: the answers to several requests come one by one. In milliseconds. */
const FRESH_MS = 5_000;

const VERSIONS = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/** Runs the plugin when a credential is wanted and none is there that still holds. */
export class ExecCredentialSource {
  readonly #config: ExecConfig;
  readonly #options: ExecSourceOptions;
  #current: { credential: ExecCredential; since: number; expires: number } | undefined;
  #running: Promise<ExecCredential> | undefined;

  /** @throws {CredentialError} when the configuration cannot be used */
  constructor(config: ExecConfig, options: ExecSourceOptions) {
    this.#config = config;
    this.#options = options;
    const fail = (why: string) => new CredentialError(`Cannot use the exec plugin "${config.command}" of user "${options.user}": ${why}`);
    if (config.command === "") throw fail("it names no command");
    if (!VERSIONS.includes(config.apiVersion)) {
      throw fail(`its apiVersion is "${config.apiVersion}", supported are ${VERSIONS.join(" and ")}`);
    }
    if (config.interactiveMode === "" && config.apiVersion.endsWith("/v1")) throw fail("its interactiveMode is missing");
    if (!["", "Never", "IfAvailable", "Always"].includes(config.interactiveMode)) {
      throw fail(`its interactiveMode is "${config.interactiveMode}"`);
    }
    if (config.interactiveMode === "Always" && !options.interactive) throw fail("it wants a terminal, and standard input is none");
  }

  /** The credential; who asks while the plugin runs gets what it will give. @throws CredentialError */
  async get(): Promise<ExecCredential> {
    if (this.#current !== undefined && this.#options.now() < this.#current.expires) return this.#current.credential;
    this.#running ??= this.#run().finally(() => this.#running = undefined);
    return await this.#running;
  }

  /** Forgets the credential, unless it has only just come. */
  forget(): void {
    if (this.#current !== undefined && this.#options.now() - this.#current.since >= FRESH_MS) this.#current = undefined;
  }

  async #run(): Promise<ExecCredential> {
    const { command, args, env, installHint } = this.#config;
    const interactive = this.#options.interactive && this.#config.interactiveMode !== "Never";
    const info = await this.#info(interactive);
    let result: { code: number; stdout: string };
    try {
      result = await this.#options.run({
        command,
        args,
        env: { KUBERNETES_EXEC_INFO: info, ...Object.fromEntries(env.map(({ name, value }) => [name, value])) },
        interactive,
      });
    } catch (cause) {
      const why = cause instanceof Deno.errors.NotFound ? "there is no such program" : (cause as Error).message;
      throw this.#error(why + (installHint === "" ? "" : `\n\n${installHint.trim()}`), cause);
    }
    if (result.code !== 0) throw this.#error(`it ended with exit code ${result.code}`);
    const { credential, expires } = this.#parse(result.stdout);
    this.#current = { credential, since: this.#options.now(), expires };
    return credential;
  }

  async #info(interactive: boolean): Promise<string> {
    const { apiVersion, provideClusterInfo } = this.#config;
    const cluster = provideClusterInfo ? { cluster: await this.#options.cluster() } : {};
    return JSON.stringify({ apiVersion, kind: "ExecCredential", spec: { ...cluster, interactive } });
  }

  /** What it says is never shown: it may hold the token. */
  #parse(stdout: string): { credential: ExecCredential; expires: number } {
    let answer;
    try {
      answer = JSON.parse(stdout);
    } catch {
      throw this.#error("what it printed is no JSON");
    }
    if (answer?.kind !== "ExecCredential") throw this.#error(`it printed no ExecCredential`);
    if (answer.apiVersion !== this.#config.apiVersion) {
      throw this.#error(`it speaks ${JSON.stringify(answer.apiVersion)}, the kubeconfig says "${this.#config.apiVersion}"`);
    }
    const { token, clientCertificateData, clientKeyData, expirationTimestamp } = answer.status ?? {};
    const given = (value: unknown) => typeof value === "string" && value !== "" ? value : undefined;
    const credential = { token: given(token)?.trim(), certPem: given(clientCertificateData), keyPem: given(clientKeyData) };
    if ((credential.certPem === undefined) !== (credential.keyPem === undefined)) {
      throw this.#error("it gave a client certificate without its key, or a key without its certificate");
    }
    if (credential.token === undefined && credential.certPem === undefined) throw this.#error("it gave neither a token nor a certificate");
    const expires = given(expirationTimestamp) === undefined ? Infinity : Date.parse(expirationTimestamp);
    if (Number.isNaN(expires)) throw this.#error("its expirationTimestamp is no time");
    return { credential, expires };
  }

  #error(why: string, cause?: unknown): CredentialError {
    return new CredentialError(
      `Cannot get credentials from the exec plugin "${this.#config.command}" of user "${this.#options.user}": ${why}`,
      {
        cause,
      },
    );
  }
}

/** What an {@linkcode ExecCredentialSource} works with. */
export interface ExecSourceOptions {
  /** The user's name in the kubeconfig. */
  readonly user: string;
  /** What the plugin is told of the cluster when it wants to know: the spec's `cluster`. @throws {CredentialError} */
  readonly cluster: () => Promise<Readonly<Record<string, unknown>>>;
  /** Whether standard input is a terminal that nobody else reads from. */
  readonly interactive: boolean;
  readonly run: ExecRunner;
  /** The time, in milliseconds since 1970. */
  readonly now: () => number;
}
