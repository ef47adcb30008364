import type { Hook, HookConfiguration, ServedConfiguration } from "../../k8s/webhook/hook_configuration.ts";
import { terminalLine } from "../command/terminal_text.ts";

/** How it is served. */
export interface ServedHow {
  /** The URL of the program. */
  readonly url: string;
  /** Which requests are meant: `in dev-* by alice`; empty for all. */
  readonly filter: string;
  /** Whether the original answers too. */
  readonly shadow: boolean;
}

/** Of a longer list, this many are shown. */
const MAX_SHOWN = 5;

/**
 * One line for each webhook, in the order of the API server's calls:
 * `mutate pods CREATE,UPDATE in dev-* by mpod.kb.io -> https://localhost:9443/mutate-v1-pod (the original keeps all others)`
 */
export function describeServed({ configuration, original }: ServedConfiguration, { url, filter, shadow }: ServedHow): string[] {
  const verb = configuration.kind === "MutatingWebhookConfiguration" ? "mutate" : "validate";
  return configuration.webhooks.map((hook) => {
    const { name, clientConfig: { service } } = hook;
    const what = [verb, describeRules(hook), filter, `by ${name}`].filter((part) => part !== "").join(" ");
    return terminalLine(`${what} -> ${at(url, service?.path)} (${whoElse(hook, original, filter, shadow)})`);
  });
}

function at(url: string, path = "/"): string {
  return `${url.replace(/\/$/, "")}${path}`;
}

function whoElse({ name }: Hook, original: HookConfiguration | undefined, filter: string, shadow: boolean): string {
  if (!original?.webhooks.some((hook) => hook.name === name)) return "nobody else answers it";
  if (shadow) return "the original answers too";
  return filter === "" ? "the original answers none" : "the original keeps all others";
}

/** `pods,deployments.apps CREATE,UPDATE`; rules with other operations follow after a semicolon. */
function describeRules({ rules = [] }: Hook): string {
  const byOperations = new Map<string, string[]>();
  for (const { apiGroups = [], resources = [], operations = [] } of rules) {
    const names = resources.flatMap((resource) =>
      apiGroups.map((group) => group === "" || resource === "*/*" ? resource : `${resource}.${group}`)
    );
    const key = operations.join(",");
    byOperations.set(key, [...new Set([...byOperations.get(key) ?? [], ...names])]);
  }
  return shortened([...byOperations].map(([operations, names]) => `${shortened(names, ",")} ${operations}`), "; ");
}

function shortened(items: readonly string[], separator: string): string {
  const more = items.length - MAX_SHOWN;
  return items.slice(0, MAX_SHOWN).join(separator) + (more > 0 ? ` and ${more} more` : "");
}
