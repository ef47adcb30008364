/**
 * A mutating admission webhook that annotates new Services by rules:
 *
 *     kurun webhook http://localhost:8080 -f examples/annotate/webhook.yaml -- deno run -A examples/annotate/server.ts
 *
 * With --tls-cert-file and --tls-key-file it serves HTTPS.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
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
    "rules-file": { type: "string", default: new URL("rules.yaml", import.meta.url).pathname },
    port: { type: "string", default: "8080" },
  },
});

const rules = parse(await Deno.readTextFile(flags["rules-file"])) as Rule[];
log(`There are ${rules.length} active rules`);

const cert = flags["tls-cert-file"];
const key = flags["tls-key-file"];
// Not Deno.serve, which answers over TLS after 40 ms (Deno 2.9.6, Nagle's delay): a webhook holds up every kubectl apply that it matches.
const server = cert && key
  ? createTlsServer({ cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) }, answer)
  : createServer(answer);
server.listen(Number(flags.port), "localhost", () => log(`Listening${cert ? " TLS" : ""} on :${flags.port}`));

function answer(request: IncomingMessage, response: ServerResponse): void {
  review(request, response).catch((error) => {
    // The caller left in the middle, or sent no AdmissionReview.
    log(`a request was not answered: ${error.message}`);
    response.destroy();
  });
}

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
