import type { Api } from "../../k8s/api/api.ts";
import { sleep } from "../../k8s/api/sleep.ts";
import type { ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import type { ClusterSession } from "../../k8s/session/session.ts";
import { type ConfigurationCopy, copyConfiguration } from "../../k8s/webhook/copy_configuration.ts";
import { type Conversion, sessionConversion } from "../../k8s/webhook/conversion.ts";
import { exclude, type Exclusion } from "../../k8s/webhook/exclude_from_original.ts";
import type { ServedConversion } from "../../k8s/webhook/find_configurations.ts";
import { filterExpression } from "../../k8s/webhook/filter_expression.ts";
import { conditionName, type MatchCondition, mineExpression } from "../../k8s/webhook/guard.ts";
import { hookPath, type LiveHookConfiguration, type ServedConfiguration } from "../../k8s/webhook/hook_configuration.ts";
import type { HookFilter } from "../../k8s/webhook/hook_filter.ts";
import { removeConfigurations } from "../../k8s/webhook/remove_configurations.ts";
import { serveConversions } from "../../k8s/webhook/serve_conversion.ts";
import { switchOn } from "../../k8s/webhook/switch.ts";
import type { Traffic } from "../port_forward/traffic.ts";
import { keptWarnings } from "../session/marked_object.ts";
import type { SessionExtra } from "../port_forward/forward.ts";
import type { Upstream } from "../port_forward/upstream_url.ts";
import { checkOverlap } from "./check_overlap.ts";
import { watchWebhooks } from "./watch_webhooks.ts";

/** How long the removal of configurations may take, in milliseconds, without the wait for answers. */
const REMOVAL_MS = 15_000;
/** A wait for answers shorter than this is not mentioned. */
const SHORT_MS = 1_000;
const POLL_MS = 50;

/** What a session does with the configurations. */
export interface WebhookWishes {
  readonly served: readonly ServedConfiguration[];
  /** These are answered for all objects. */
  readonly conversions: readonly ServedConversion[];
  readonly filter: HookFilter;
  /** PEM of the CA that signed the certificate for callers. */
  readonly caPem: string;
  readonly failurePolicy?: string | undefined;
  readonly timeoutSeconds?: number | undefined;
  /** Whether the originals go on answering what the session answers. */
  readonly shadow: boolean;
}

/** The copies of a session. */
export function copiesFor(plan: ForwardPlan, { served, filter, ...wishes }: WebhookWishes): ConfigurationCopy[] {
  const mine = mineExpression(plan, filterExpression(filter));
  return served.map((one) => copyConfiguration(one, { plan, mine, ...wishes }));
}

/** Options of {@link SessionWebhooks}. */
export interface WebhookOptions extends WebhookWishes {
  readonly api: Api;
  readonly session: ClusterSession<ForwardPlan>;
  readonly traffic: Traffic;
  readonly say: (line: string) => void;
  /** Waits until the program here accepts connections. */
  readonly listening: (signal: AbortSignal) => Promise<Upstream>;
  /** A line for each webhook. */
  readonly announcement: string;
}

/** The webhook configurations of one session: copies and exclusions, which do nothing until the session is switched on. */
export class SessionWebhooks implements SessionExtra {
  readonly #options: WebhookOptions;
  readonly #stop = new AbortController();
  readonly #program: Promise<Upstream>;
  #making: Promise<void> | undefined;
  #switching: Promise<void> | undefined;
  #watching: Promise<void> | undefined;
  #copies: readonly LiveHookConfiguration[] = [];
  readonly #exclusions: readonly Exclusion[];
  readonly #condition: MatchCondition;

  constructor(options: WebhookOptions) {
    this.#options = options;
    const { session: { plan }, served, filter, shadow } = options;
    this.#condition = { name: conditionName(plan), expression: `!(${mineExpression(plan, filterExpression(filter))})` };
    this.#exclusions = shadow ? [] : served.flatMap(({ original, configuration: { webhooks } }) => {
      if (!original) return [];
      return [{ kind: original.kind, name: original.metadata.name, webhooks: webhooks.map(({ name }) => name) }];
    });
    this.#program = options.listening(this.#stop.signal);
    // Whoever waits for it learns why it fails.
    this.#program.catch(() => {});
  }

  async keep(signal: AbortSignal): Promise<void> {
    const using = AbortSignal.any([signal, this.#stop.signal]);
    this.#making = this.#make(using);
    await Promise.all([this.#making, this.#program]);
    const { api, say, conversions, session: { plan }, caPem } = this.#options;
    const answered = conversions.map(({ definition: { metadata: { name }, spec: { conversion } } }) => {
      return { name, wrote: sessionConversion(conversion as Conversion, { plan, caPem }) };
    });
    const watched = {
      session: plan,
      copies: this.#copies,
      exclusions: this.#exclusions,
      condition: this.#condition,
      conversions: answered,
    };
    await (this.#watching = watchWebhooks(api, watched, say, using));
  }

  program(): Promise<Upstream> {
    return this.#program;
  }

  begin(): Promise<void> {
    return this.#switching = this.#switchOn();
  }

  announce(): string {
    return this.#options.announcement;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    // What is created after its removal would stay.
    await Promise.allSettled([this.#making, this.#switching, this.#watching]);
    const { api, session: { plan }, say } = this.#options;
    const late = new AbortController();
    const limit = () => setTimeout(() => late.abort(), REMOVAL_MS);
    let timer = limit();
    const answered = async () => {
      clearTimeout(timer);
      await this.#answered();
      timer = limit();
    };
    try {
      keptWarnings(await removeConfigurations(api, plan, { answered, signal: late.signal })).forEach(say);
    } catch (error) {
      const what = `The webhook configurations of session ${plan.name} could not be removed (${(error as Error).message})`;
      say(`${what}: they have no effect once it has ended, and kurun cleanup removes them`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for the answers to requests that were sent before the session was switched off. */
  async #answered(): Promise<void> {
    const { traffic, say } = this.#options;
    const longest = Math.max(0, ...this.#copies.flatMap(({ webhooks }) => webhooks.map(({ timeoutSeconds = 0 }) => timeoutSeconds)));
    const since = performance.now();
    let told = false;
    for (;;) {
      const { awaited } = traffic;
      const waited = performance.now() - since;
      if (awaited === 0 || waited > longest * 1000) return;
      if (!told && waited > SHORT_MS) {
        say(`Waiting for the answer to ${awaited} ${awaited === 1 ? "request" : "requests"}; press Ctrl+C again to leave at once`);
        told = true;
      }
      await sleep(POLL_MS);
    }
  }

  /** Creates the copies and the conditions. Nothing ends a request: what it does would be too late for {@linkcode end}. */
  async #make(signal: AbortSignal): Promise<void> {
    const { api, session: { plan }, filter } = this.#options;
    const creating = copiesFor(plan, this.#options).map((copy) => api.create<LiveHookConfiguration>(hookPath(copy.kind), copy));
    const results = await Promise.allSettled([...creating, ...this.#exclusions.map((one) => exclude(api, one, this.#condition))]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
    this.#copies = await Promise.all(creating.map(async (created) => (await created).body));
    // A session that started at the same time may not have been there for the first look.
    await checkOverlap(api, plan, filter, signal, this.#copies);
  }

  async #switchOn(): Promise<void> {
    const { api, session: { plan, uid }, conversions, caPem } = this.#options;
    await this.#making;
    this.#stop.signal.throwIfAborted();
    await switchOn(api, plan, uid, this.#stop.signal);
    // Not aborted, as in #make.
    await serveConversions(api, { plan, caPem }, conversions, new AbortController().signal);
  }
}
