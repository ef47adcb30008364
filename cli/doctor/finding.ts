import { ApiError } from "../../k8s/api/api_error.ts";

/** The name of a check. Scripts rely on it. */
export type CheckName =
  | ("kubeconfig" | "server" | "clock" | "certificates" | "user" | "rights" | "namespace")
  | ("admission" | "websocket" | "webhooks" | "conversions" | "sessions" | "nodes");

/** What is wrong, or why a check could not be made. */
export interface Finding {
  readonly check: CheckName;
  readonly state: "problem" | "unchecked";
  /** What failed and what was seen: a sentence without its full stop. */
  readonly seen: string;
  /** What to do about it: a sentence, or empty. */
  readonly todo: string;
}

/** A problem. */
export function problem(check: CheckName, seen: string, todo: string): Finding {
  return { check, state: "problem", seen, todo };
}

/** A check that could not be made. */
export function unchecked(check: CheckName, why: string, todo = ""): Finding {
  return { check, state: "unchecked", seen: `not checked: ${why}`, todo };
}

/** The right that the API server says is missing, such as `list nodes`; undefined if an error is not about a right. */
export function missingRight(error: unknown): string | undefined {
  if (!(error instanceof ApiError) || error.status !== 403) return undefined;
  const [, verb, resource, group] = /cannot (\S+) resource "([^"]+)"(?: in API group "([^"]*)")?/.exec(error.message) ?? [];
  return verb && `${verb} ${resource}${group ? `.${group}` : ""}`;
}
