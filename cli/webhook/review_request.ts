/** What the API server asks of a webhook, as the JSON of its review says. Pure. */

import { isObject, type JsonObject } from "../../k8s/api/exact_json.ts";
import { terminalLine } from "../command/terminal_text.ts";

/** A review that waits for its answer. */
export interface Review {
  /** `admission.k8s.io/v1` */
  readonly apiVersion: string;
  readonly uid: string;
  /** What it is about, safe to print: `CREATE pods/web in dev by alice`, `convert 3 guestbooks to v2`. */
  readonly subject: string;
  /** For an admission, what is to be done to the object. */
  readonly operation?: string;
  /** For a conversion, what is to be converted, and into which version. */
  readonly conversion?: { readonly objects: readonly unknown[]; readonly apiVersion: string };
}

/** Who asks what comes within this much of an AdmissionReview. No more is searched: anybody in the cluster may send what takes long to search. */
export const START_CHARS = 8 * 1024;
/** Texts of a request are cut after so many characters. A name has at most 253, but anybody in the cluster may ask. */
const MAX_SHOWN = 253;

/**
 * Reads an AdmissionReview. Go writes its fields in the order of the struct (k8s.io/api/admission/v1): who asked what comes first, the
 * objects, which may be large, after it, and last whether it is a dry run.
 * @param text the start of its JSON, of which {@linkcode START_CHARS} are read @param end of its JSON, or all of it
 * @returns undefined if it is something else
 */
export function readAdmission(text: string, end: string): Review | undefined {
  const start = text.slice(0, START_CHARS);
  const known = /^[^]*?,"userInfo":\{(?:"username":"(?:[^"\\]|\\.)*")?/.exec(start)?.[0];
  const { apiVersion, request } = parsed(known === undefined ? "" : `${known}}}}`);
  if (!isObject(request) || typeof apiVersion !== "string" || typeof request.uid !== "string") return undefined;
  const { uid, operation, subResource, namespace } = request;
  const { group, resource } = isObject(request.resource) ? request.resource : {};
  const { username } = isObject(request.userInfo) ? request.userInfo : {};
  const generated = request.name ? undefined : /,"object":\{[^]*?"metadata":\{[^{}]*?"generateName":"([^"\\]*)"/.exec(start)?.[1];
  const name = request.name || generated && `${generated}*`;
  const subject = [
    operation,
    ` ${resource}${group ? `.${group}` : ""}${name ? `/${name}` : ""}${subResource ? `/${subResource}` : ""}`,
    namespace ? ` in ${namespace}` : "",
    username ? ` by ${String(username).slice(0, MAX_SHOWN)}` : "",
    // No text within JSON can look like this field: its quotes are escaped.
    [...end.matchAll(/"dryRun":(true|false)\b/g)].at(-1)?.[1] === "true" ? " (dry run)" : "",
  ];
  return { apiVersion, uid, operation: String(operation), subject: subject.map((part) => shown(part)).join("") };
}

/** Reads a ConversionReview. @param plural the kind's name in paths @returns undefined if it is something else */
export function readConversion(text: string, plural = "objects"): Review | undefined {
  const { apiVersion, request } = parsed(text);
  if (!isObject(request) || typeof apiVersion !== "string" || typeof request.uid !== "string") return undefined;
  const { uid, desiredAPIVersion, objects } = request;
  if (!Array.isArray(objects) || typeof desiredAPIVersion !== "string") return undefined;
  const subject = `convert ${objects.length} ${objects.length === 1 ? plural.replace(/s$/, "") : plural} to ` +
    desiredAPIVersion.replace(/^.*\//, "");
  return { apiVersion, uid, subject: shown(subject), conversion: { objects, apiVersion: desiredAPIVersion } };
}

function shown(text: unknown): string {
  return terminalLine(String(text).slice(0, 2 * MAX_SHOWN));
}

function parsed(text: string): JsonObject {
  try {
    const value = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
