import { conditionName } from "../../k8s/webhook/guard.ts";
import type { KeptFields } from "../../k8s/webhook/serve_conversion.ts";
import type { SessionMark } from "../../k8s/webhook/session_marks.ts";

/** Warns of what somebody else has changed of conversions, and what therefore stays. */
export function keptWarnings(kept: KeptFields): string[] {
  return [...kept].map(([name, fields]) =>
    `Warning: the conversion of ${name} keeps its ${fields.join(" and ")}: somebody has changed it while kurun answered`
  );
}

/** Names what a webhook session left behind, as in `condition web-kurun-bcdfg.kurun.dev of validatingwebhookconfiguration/policies`. */
export function markedObject({ is, kind, name, session }: SessionMark): string {
  const object = `${kind.toLowerCase()}/${name}`;
  if (is === "copy") return object;
  return `${is === "condition" ? `condition ${conditionName(session)}` : "conversion"} of ${object}`;
}
