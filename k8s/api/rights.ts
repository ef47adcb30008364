/**
 * Which rights the user has, as the API server sees it.
 *
 * @module
 */

import type { Api } from "./api.ts";
import type { AccessReview } from "./kubernetes_objects.ts";

/** A right to do something with a resource. */
export interface Right {
  readonly verb: string;
  /** The API group; empty is the core. @default {""} */
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  /** One object's name; without it, all. */
  readonly name?: string;
  /** Without it, all namespaces or what is in none. */
  readonly namespace?: string;
}

const REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/** Asks whether the user has a right. @throws as {@linkcode Api.request} does */
export async function accessReview(api: Api, right: Right, options: { signal?: AbortSignal } = {}): Promise<boolean> {
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes: right } };
  const { body } = await api.create<AccessReview>(REVIEWS, review, options);
  return body.status?.allowed === true;
}

/** Asks for all rights at once, and returns those that are missing. @throws as {@linkcode Api.request} does */
export async function missingRights(api: Api, rights: readonly Right[], options: { signal?: AbortSignal } = {}): Promise<Right[]> {
  const allowed = await Promise.all(rights.map((right) => accessReview(api, right, options)));
  return rights.filter((_, index) => !allowed[index]);
}

/** A right in words, as kubectl's errors have it: `get services/proxy named https:web-kurun:8333 in namespace shop`. */
export function describeRight({ verb, group, resource, subresource, name, namespace }: Right): string {
  const what = `${resource}${group ? `.${group}` : ""}${subresource ? `/${subresource}` : ""}`;
  return `${verb} ${what}${name ? ` named ${name}` : ""}${namespace ? ` in namespace ${namespace}` : ""}`;
}
