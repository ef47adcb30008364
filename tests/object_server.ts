import { isDeepStrictEqual } from "node:util";
import type { PatchOperation } from "../k8s/api/api.ts";
import { type ScriptedRequest, ScriptedServer } from "./scripted_server.ts";

// deno-lint-ignore no-explicit-any -- objects of any kind
type AnyObject = any;

/** An API server with a few objects by their paths, which understands lists, JSON patches and deletions. */
export function objectServer(
  objects: Map<string, AnyObject>,
  /** Answers with this status instead. */
  refuse: (request: ScriptedRequest) => number | undefined = () => undefined,
): ScriptedServer {
  return new ScriptedServer((request, reply) => {
    const refused = refuse(request);
    if (refused !== undefined) return reply.json(refused, { kind: "Status", message: `refused with ${refused}` });
    const path = request.target.replace(/\?.*/, "");
    const items = [...objects].filter(([key]) => key.replace(/\/[^/]*$/, "") === path).map(([, object]) => object);
    const object = objects.get(path);
    // The paths of collections end in a plural.
    if (!object) return reply.json(items.length > 0 || path.endsWith("s") ? 200 : 404, { items });
    if (request.method === "DELETE") {
      const { preconditions } = JSON.parse(request.body);
      if (preconditions && preconditions.uid !== object.metadata.uid) return reply.json(409, {});
      objects.delete(path);
    } else if (request.method === "PATCH") {
      const patched = structuredClone(object);
      if (!JSON.parse(request.body).every((operation: PatchOperation) => apply(patched, operation))) return reply.json(422, {});
      patched.metadata.resourceVersion = `${Number(object.metadata.resourceVersion ?? 0) + 1}`;
      objects.set(path, patched);
    }
    return reply.json(200, objects.get(path) ?? {});
  });
}

/** Applies one step of a JSON patch (RFC 6902) to an object. @returns false if a test fails or the path does not exist */
function apply(object: AnyObject, { op, path, value }: PatchOperation): boolean {
  const keys = path.slice(1).split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = keys.pop()!;
  const parent = keys.reduce((at, key) => at?.[key], object);
  if (parent === undefined || op !== "add" && !(last in parent)) return false;
  if (op === "test") return isDeepStrictEqual(parent[last], value);
  if (op === "remove") Array.isArray(parent) ? parent.splice(Number(last), 1) : delete parent[last];
  else if (Array.isArray(parent) && last === "-") parent.push(value);
  else parent[last] = value;
  return true;
}
