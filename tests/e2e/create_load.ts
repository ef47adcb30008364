/** Objects that are created all the time while a test does something else. */
import { Api } from "../../k8s/api/api.ts";
import { ApiError } from "../../k8s/api/api_error.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";

/** The answers to the creates of a while, by who answered: how many there were of each. An error counts by its text. */
export type Answers = Record<string, number>;

/** Longer than the API server waits for a webhook. */
const PATIENCE_MS = 40_000;
/** How answers of creates begin that did not reach the API server, with the kind of the connection's error in parentheses. */
export const NO_API_SERVER = "no API server";

/** Creates ConfigMaps as dry runs over connections that are kept, until it is disposed. */
export class CreateLoad implements AsyncDisposable {
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #going = new Set<Promise<void>>();
  readonly #api: Api;
  #answers: Answers = {};
  #last = "";
  /** When the last create was refused, by performance.now(). */
  lastRefusal = -Infinity;

  private constructor(
    api: Api,
    readonly namespace: string,
    perSecond: number,
    readonly answeredBy: (annotations: Record<string, string>) => string,
  ) {
    this.#api = api;
    this.#timer = setInterval(() => {
      const create = this.#create().finally(() => this.#going.delete(create));
      this.#going.add(create);
    }, 1_000 / perSecond);
  }

  /** Starts it. @param answeredBy reads who answered from the annotations of what was created @param server an API server other than the kubeconfig's */
  static async start(
    namespace: string,
    perSecond: number,
    answeredBy: (annotations: Record<string, string>) => string,
    server?: string,
  ): Promise<CreateLoad> {
    const access = await loadClusterAccess({ requestTimeout: PATIENCE_MS, server }, { get: (name) => Deno.env.get(name) });
    return new CreateLoad(new Api(access, { userAgent: "kurun-tests" }), namespace, perSecond, answeredBy);
  }

  /** Waits until ten creates in a row were answered by this one. @throws with the answers so far after `ms` */
  async untilAnsweredBy(who: string, ms = 15_000): Promise<void> {
    const until = performance.now() + ms;
    for (let row = 0; row < 10; row = this.#last === who ? row + 1 : 0) {
      if (performance.now() > until) throw new Error(`creates were not answered by ${who}: ${JSON.stringify(this.#answers)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits for the creates that are under way. @returns the answers since it was called last */
  async answers(): Promise<Answers> {
    await Promise.all(this.#going);
    const answers = this.#answers;
    this.#answers = {};
    return answers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#going);
    this.#api.close();
  }

  async #create(): Promise<void> {
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "asked-" } };
    const options = { body, query: { dryRun: "All" } };
    const path = `/api/v1/namespaces/${this.namespace}/configmaps`;
    this.#last = await this.#api.request<{ metadata: { annotations?: Record<string, string> } }>("POST", path, options).then(
      ({ body }) => this.answeredBy(body.metadata.annotations ?? {}),
      // The API server itself was away, so nobody refused anything.
      (error) => error instanceof ApiError ? `refused (${error.status}): ${error.message}` : `${NO_API_SERVER} (${error.kind})`,
    );
    if (this.#last.startsWith("refused")) this.lastRefusal = performance.now();
    this.#answers[this.#last] = (this.#answers[this.#last] ?? 0) + 1;
  }
}
