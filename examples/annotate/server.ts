/**
 * A mutating admission webhook that annotates new Services by rules, for `kurun port-forward` to show:
 *
 *     deno run --allow-net --allow-read examples/annotate/server.ts --tls-cert-file tls.crt --tls-key-file tls.key \
 *       --rules-file examples/annotate/rules.yaml
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { json } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { parse } from "yaml";

/** Services that have all labels of the selector get the annotations. */
interface Rule {
  readonly selector?: Readonly<Record<string, unknown>>;
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** The part of an AdmissionReview (admission.k8s.io/v1) that is read here. */
interface AdmissionReview {
  readonly request: {
    readonly uid: string;
    readonly object: { metadata: { name?: string; labels?: Record<string, string>; annotations?: Record<string, string> } };
  };
}

const { values: flags } = parseArgs({
  options: {
    "tls-cert-file": { type: "string" },
    "tls-key-file": { type: "string" },
    "rules-file": { type: "string", default: "rules.yaml" },
    port: { type: "string", default: "8080" },
  },
});

const rules = parse(await Deno.readTextFile(flags["rules-file"])) as Rule[];
log(`There are ${rules.length} active rules`);

// Not Deno.serve, which answers over TLS after 40 ms (Deno 2.9.6, Nagle's delay): a webhook holds up every kubectl apply that it matches.
createServer({
  cert: await Deno.readTextFile(flags["tls-cert-file"] ?? "tls.crt"),
  key: await Deno.readTextFile(flags["tls-key-file"] ?? "tls.key"),
}, (request, response) => {
  review(request, response).catch((error) => {
    // The caller left in the middle, or sent no AdmissionReview.
    log(`a request was not answered: ${error.message}`);
    response.destroy();
  });
}).listen(Number(flags.port), "localhost", () => log(`Listening TLS on :${flags.port}`));

async function review(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { uid, object } = (await json(request) as AdmissionReview).request;
  const annotations = annotationsFor(object.metadata.labels ?? {});
  log(`${object.metadata.name} gets ${JSON.stringify(annotations)}`);
  const patch = btoa(JSON.stringify(addAnnotations(object.metadata.annotations, annotations)));
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid, allowed: true, patchType: "JSONPatch", patch },
  }));
}

function annotationsFor(labels: Readonly<Record<string, string>>): Record<string, string> {
  const matching = rules.filter(({ selector }) => Object.entries(selector ?? {}).every(([name, value]) => labels[name] === String(value)));
  return Object.fromEntries(
    matching.flatMap(({ annotations }) => Object.entries(annotations).map(([name, value]) => [name, String(value)])),
  );
}

/** RFC 6902. The map of annotations must exist before one can be added to it. */
function addAnnotations(existing: Record<string, string> | undefined, added: Record<string, string>) {
  return [{ op: "add", path: "/metadata/annotations", value: { ...existing, ...added } }];
}

function log(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`[webhook] ${line}\n`));
}
