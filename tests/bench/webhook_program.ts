/**
 * A validating webhook that allows everything and names in a warning the path at which it was called:
 * `deno run -A webhook_program.ts PORT CERTIFICATE KEY`.
 *
 * @module
 */
import { createServer } from "node:https";
import { json } from "node:stream/consumers";

const [port, certFile, keyFile] = Deno.args as [string, string, string];

// Not Deno.serve, which answers over TLS after 40 ms (Deno 2.9.6, Nagle's delay).
createServer({ cert: await Deno.readTextFile(certFile), key: await Deno.readTextFile(keyFile) }, async (request, response) => {
  const { request: { uid } } = await json(request) as { request: { uid: string } };
  const path = new URL(request.url ?? "/", "https://webhook").pathname;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid, allowed: true, warnings: [`asked at ${path}`] },
  }));
}).listen(Number(port), "127.0.0.1");
