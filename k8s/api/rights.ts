/**
 * The rights of the user, according to the API server.
 *
 * @module
 */

import type { Api } from "./api.ts";
import type { AccessReview } from "./kubernetes_objects.ts";

/** The right to do something with a resource. */
export interface Right {
  readonly verb: string;
  /** The API group; empty for the core group. @default {""} */
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  /** The name of one object; all objects if undefined. */
  readonly name?: string;
  /** All namespaces, or objects without one, if undefined. */
  readonly namespace?: string;
}

const REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/** Whether the user has a right. @throws as {@linkcode Api.request} does */
export async function accessReview(api: Api, right: Right, options: { signal?: AbortSignal } = {}): Promise<boolean> {
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes: right } };
  const { body } = await api.create<AccessReview>(REVIEWS, review, options);
  return body.status?.allowed === true;
}

/** Checks all rights in parallel, and returns the missing ones. @throws as {@linkcode Api.request} does */
export async function missingRights(api: Api, rights: readonly Right[], options: { signal?: AbortSignal } = {}): Promise<Right[]> {
  const allowed = await Promise.all(rights.map((right) => accessReview(api, right, options)));
  return rights.filter((_, index) => !allowed[index]);
}

/** A right in the words of kubectl's errors, such as `get services/proxy named https:web-kurun:8333 in namespace shop`. */
export function describeRight({ verb, group, resource, subresource, name, namespace }: Right): string {
  const what = `${resource}${group ? `.${group}` : ""}${subresource ? `/${subresource}` : ""}`;
  return `${verb} ${what}${name ? ` named ${name}` : ""}${namespace ? ` in namespace ${namespace}` : ""}`;
}
