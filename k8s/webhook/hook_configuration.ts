/**
 * Admission webhook configurations, of both kinds.
 *
 * @module
 */
import type { LiveMetadata, MutatingWebhooks, ValidatingWebhooks } from "../api/kubernetes_objects.ts";

/** The kinds of configurations that the API server calls admission webhooks by. */
export const HOOK_KINDS = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] as const;
/** One of {@linkcode HOOK_KINDS}. */
export type HookKind = (typeof HOOK_KINDS)[number];

/** A webhook of a configuration; one that validates has no reinvocationPolicy. */
export type Hook = NonNullable<(MutatingWebhooks & ValidatingWebhooks)["webhooks"]>[number];

/** A configuration, from a file or from the cluster. */
export interface HookConfiguration {
  readonly apiVersion: string;
  readonly kind: HookKind;
  readonly metadata: { readonly name: string };
  readonly webhooks: readonly Hook[];
}

/** A configuration that is in the cluster. */
export interface LiveHookConfiguration extends HookConfiguration {
  readonly metadata: LiveMetadata;
}

/** A configuration whose webhooks the program here answers. */
export interface ServedConfiguration {
  /** As it is in the file, or in the cluster. */
  readonly configuration: HookConfiguration;
  /** The file it is from, as the user named it; undefined if it is from the cluster. */
  readonly file?: string;
  /** The same configuration in the cluster, if there is one: it is left out for what is answered here. */
  readonly original?: LiveHookConfiguration;
}

/** The API path of a configuration, or of all of its kind. */
export function hookPath(kind: HookKind, name?: string): string {
  return `/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}s${name === undefined ? "" : `/${name}`}`;
}
