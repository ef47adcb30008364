import { Buffer } from "node:buffer";
import { Annotation, type ForwardPlan, MANAGED_BY, SESSION_LABEL } from "../session/objects/session_plan.ts";
import { conditionName, isCondition } from "./guard.ts";
import type { Hook, HookConfiguration, ServedConfiguration } from "./hook_configuration.ts";

/** The port of the session's Service that the API server calls. */
export const HOOK_PORT = 443;
/** The most that the API server allows: a program in a debugger needs it. */
const LONGEST_SECONDS = 30;
/** The longest name of a configuration. */
const MAX_NAME = 253;

/** What copies differ in from what they are copied from. */
export interface CopyOptions {
  /** The session's plan. Its annotations say whose the copies are, and which requests they are for. */
  readonly plan: ForwardPlan;
  /** PEM of the CA that signed the certificate for callers. */
  readonly caPem: string;
  /** Which requests are the session's, as CEL. */
  readonly mine: string;
  readonly failurePolicy?: string | undefined;
  /** @default {30} */
  readonly timeoutSeconds?: number | undefined;
}

/** A configuration to be created. */
export type ConfigurationCopy = HookConfiguration & {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
};

/** What a served configuration is known by: its original in the cluster, if it has one. */
export function servedName({ configuration, original }: ServedConfiguration): string {
  return `${configuration.kind}/${(original ?? configuration).metadata.name}`;
}

/**
 * The session's copy of a configuration: the same webhooks at the session's Service. The API server calls mutating webhooks in the order of
 * their configurations' names; two dashes sort before every other continuation of the original's name. Annotations are left out: some make
 * controllers write into the configuration (`cert-manager.io/inject-ca-from`).
 */
export function copyConfiguration(served: ServedConfiguration, { plan, ...options }: CopyOptions): ConfigurationCopy {
  const { configuration: { apiVersion, kind, webhooks } } = served;
  const { name } = (served.original ?? served.configuration).metadata;
  const end = `--${plan.name.slice(plan.name.lastIndexOf("-") + 1)}`;
  return {
    apiVersion,
    kind,
    metadata: {
      name: `${name.slice(0, MAX_NAME - end.length)}${end}`,
      labels: { ...MANAGED_BY, [SESSION_LABEL]: plan.name },
      annotations: { ...plan.annotations, [Annotation.namespace]: plan.namespace, [Annotation.serves]: servedName(served) },
    },
    webhooks: webhooks.map((hook) => copyHook(hook, { plan, ...options })),
  };
}

function copyHook(hook: Hook, { plan, caPem, mine, failurePolicy, timeoutSeconds }: CopyOptions): Hook {
  const { clientConfig, matchConditions = [], ...rest } = hook;
  const path = clientConfig.url === undefined ? clientConfig.service?.path : new URL(clientConfig.url).pathname;
  return {
    ...rest,
    clientConfig: {
      service: { namespace: plan.namespace, name: plan.service, port: HOOK_PORT, ...(path === undefined ? {} : { path }) },
      caBundle: Buffer.from(caPem).toString("base64"),
    },
    ...(failurePolicy === undefined ? {} : { failurePolicy }),
    timeoutSeconds: timeoutSeconds ?? LONGEST_SECONDS,
    matchConditions: [
      ...matchConditions.filter((condition) => !isCondition(condition)),
      { name: conditionName(plan), expression: mine },
    ],
  };
}
