import assert from "node:assert/strict";
import { connect as connectHttp2, createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { parseAllDocuments, stringify } from "yaml";
import { certificateAuthority } from "../certificate_authority.ts";
import type { CertificatePair } from "../../k8s/certificate/certificate.ts";
import { NativeConnection } from "../../tunnel/mod.ts";
import { TlsServer } from "../tls_server.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";
import type { Upstream } from "./upstreams.ts";

const now = new Date();
const authority = await certificateAuthority({ commonName: "the cluster's", days: 1, now });
const renewing = await certificateAuthority({ commonName: "the cluster's next", days: 1, now });
const local = await certificateAuthority({ commonName: "the laptop's", days: 1, now });
const program = await local.issue({ names: ["localhost"], days: 1, now });

/** The certificate that a Service's callers expect. */
function forService(namespace: TestNamespace, ca = authority): Promise<CertificatePair> {
  return ca.issue({ names: [`kurun.${namespace.name}.svc`], days: 1, now });
}

async function putSecret(namespace: TestNamespace, { certPem, keyPem }: CertificatePair, name = "mine"): Promise<void> {
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: { name },
    stringData: { "tls.crt": certPem, "tls.key": keyPem },
  };
  await kubectl(["apply", "-n", namespace.name, "-f", "-"], JSON.stringify(secret));
}

/** A local program that speaks TLS with a certificate unknown to the cluster. */
function serveHttps(handler: (request: Request) => Response): Upstream {
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {}, cert: program.certPem, key: program.keyPem };
  const server = Deno.serve(options, handler);
  return { url: `https://localhost:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

function portForward(namespace: TestNamespace, url: string, ...args: string[]): KurunProcess {
  return KurunProcess.start(["port-forward", url, "-n", namespace.name, ...args]);
}

/** Sends one request on its own connection. */
async function ask(url: string, caCerts: string[]): Promise<string> {
  using client = Deno.createHttpClient({ caCerts, poolMaxIdlePerHost: 0 });
  const answer = await fetch(url, { client, headers: { connection: "close" }, signal: AbortSignal.timeout(5_000) });
  return `${answer.status} ${await answer.text()}`;
}

/** What kurun prints about a caller that trusts another authority. */
const UNTRUSTED_ONCE = /^[\d.]+: TLS handshake failed: the caller does not trust the certificate \(UnknownCA\)\. [^\n]*\n$/;

clusterTest(
  "an HTTPS Service with a Secret's certificate is answered by a local https program, verified or on loopback",
  async (namespace) => {
    await using upstream = serveHttps((request) => new Response(`${request.method} ${new URL(request.url).pathname}`));
    await putSecret(namespace, await forService(namespace));
    const ca = await Deno.makeTempFile();
    await Deno.writeTextFile(ca, local.certPem);
    const url = `https://kurun.${namespace.name}.svc`;
    for (const trust of [[], ["--upstream-ca", ca], ["--upstream-insecure"]]) {
      await using kurun = await portForward(namespace, upstream.url, "--tlssecret", "mine", "--serviceport", "443", ...trust).ready();
      assert.equal(kurun.stdout, `Forwarding ${url}:443 -> ${upstream.url}\n`);
      assert.equal(await ask(`${url}/some/path`, [authority.certPem]), "200 GET /some/path");
      await assert.rejects(ask(url, [renewing.certPem]));
      const [port] = JSON.parse(await kubectl(["get", "service", "kurun", "-n", namespace.name, "-o", "jsonpath={.spec.ports}"]));
      assert.deepEqual([port.name, port.appProtocol], ["https", "https"]);
      await kurun.waitFor(/TLS handshake failed/);
      assert.match(kurun.remarks, UNTRUSTED_ONCE);
    }
    await Deno.writeTextFile(ca, authority.certPem);
    await using _kurun = await portForward(namespace, upstream.url, "--tlssecret", "mine", "--serviceport", "443", "--upstream-ca", ca)
      .ready();
    assert.match(
      await ask(url, [authority.certPem]),
      /^502 kurun: https:\/\/localhost:\d+ has a certificate from an unknown CA/,
    );
  },
);

clusterTest("a rotated Secret is served under 20 requests a second, none of which fails", async (namespace) => {
  await using upstream = serveHttps(() => new Response("here"));
  await putSecret(namespace, await forService(namespace));
  await using _kurun = await portForward(namespace, upstream.url, "--tlssecret", "mine", "--serviceport", "443").ready();
  const url = `https://kurun.${namespace.name}.svc/`;
  using kept = Deno.createHttpClient({ caCerts: [authority.certPem] });
  assert.equal(await (await fetch(url, { client: kept })).text(), "here");
  const answers: Promise<string>[] = [];
  const both = [authority.certPem, renewing.certPem];
  const asking = setInterval(() => answers.push(ask(url, both).catch((error) => `failed: ${error.message}`)), 50);
  await putSecret(namespace, await forService(namespace, renewing));
  const [pod] = (await kubectl(["get", "pods", "-n", namespace.name, "-o", "name"])).split("\n");
  // A changed annotation makes the kubelet sync the Pod's volumes immediately instead of within a minute.
  await kubectl(["annotate", pod!, "-n", namespace.name, "hasten=1"]);
  const until = performance.now() + 100_000;
  while (await ask(url, [renewing.certPem]).catch(() => "") !== "200 here") {
    assert.ok(performance.now() < until, "the new certificate was not served within 100 s");
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  clearInterval(asking);
  const settled = await Promise.all(answers);
  assert.deepEqual(settled.filter((answer) => answer !== "200 here"), []);
  assert.ok(settled.length > 20, `${settled.length} requests`);
  assert.equal(await (await fetch(url, { client: kept })).text(), "here");
  await assert.rejects(ask(url, [authority.certPem]));
});

clusterTest(
  "with --app-protocol h2 the program gets a caller's HTTP/2 as HTTP/2, and HTTP/1.1 as HTTP/1.1",
  async (namespace) => {
    const versions: string[] = [];
    const server = createSecureServer({ cert: program.certPem, key: program.keyPem, allowHTTP1: true }, (request, response) => {
      versions.push(request.httpVersion);
      response.end(`over ${request.httpVersion}`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await putSecret(namespace, await forService(namespace));
    const flags = ["--tlssecret", "mine", "--serviceport", "443", "--app-protocol", "h2"];
    await using _kurun = await portForward(namespace, `https://localhost:${port}`, ...flags).ready();
    const url = `https://kurun.${namespace.name}.svc`;
    const session = connectHttp2(url, { ca: authority.certPem });
    const bodies = await Promise.all(Array.from({ length: 20 }, () =>
      new Promise<string>((resolve, reject) => {
        const stream = session.request({ ":path": "/" });
        let body = "";
        stream.setEncoding("utf8");
        stream.on("data", (text: string) => body += text).on("end", () => resolve(body)).on("error", reject);
        stream.end();
      })));
    session.close();
    assert.deepEqual(new Set(bodies), new Set(["over 2.0"]));
    using http1 = Deno.createHttpClient({ caCerts: [authority.certPem], http2: false });
    assert.equal(await (await fetch(url, { client: http1 })).text(), "over 1.1");
    server.close();
  },
);

clusterTest("tls:// passes TLS through: the caller sees the program's certificate, and the program the caller's", async (namespace) => {
  const certificate = await forService(namespace, local);
  await using server = await TlsServer.listen({ certificate, clientCa: local.certPem });
  await using kurun = await portForward(namespace, `tls://localhost:${server.port}`, "--serviceport", "443").ready();
  const url = `https://kurun.${namespace.name}.svc/who`;
  assert.equal(kurun.stdout, `Forwarding tls://kurun.${namespace.name}.svc:443 -> tls://localhost:${server.port}\n`);
  const caller = await local.issue({ names: [], days: 1, now, usage: "client", commonName: "api-server" });
  using client = Deno.createHttpClient({ caCerts: [local.certPem], cert: caller.certPem, key: caller.keyPem });
  assert.equal((await (await fetch(url, { client })).json()).client, "api-server");
  await assert.rejects(ask(url, [local.certPem]));
});

clusterTest("tcp:// carries any bytes, also inside the Pod's TLS, whatever protocol the caller offers", async (namespace) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const caller of listener) {
      const connection = new NativeConnection(caller);
      (async () => {
        for (let bytes = await connection.read(); bytes !== null; bytes = await connection.read()) await connection.write(bytes);
        connection.closeWrite();
      })();
    }
  })();
  await putSecret(namespace, await forService(namespace));
  await using _kurun = await portForward(namespace, `tcp://localhost:${listener.addr.port}`, "--tlssecret", "mine", "--serviceport", "5432")
    .ready();
  const hostname = `kurun.${namespace.name}.svc`;
  const caller = await Deno.connectTls({ hostname, port: 5432, caCerts: [authority.certPem], alpnProtocols: ["postgresql"] });
  const sent = crypto.getRandomValues(new Uint8Array(60_000));
  const connection = new NativeConnection(caller);
  connection.write(sent).then(() => connection.closeWrite());
  const got: number[] = [];
  for (let bytes = await connection.read(); bytes !== null; bytes = await connection.read()) got.push(...bytes);
  assert.deepEqual(new Uint8Array(got), sent);
});

const SECRETS: readonly { what: string; data?: () => Promise<Record<string, string>>; says: RegExp }[] = [
  { what: "that does not exist", says: /^error: --tlssecret: there is no Secret mine in namespace t-\w+\n$/ },
  {
    what: "without tls.crt",
    data: async () => ({ "cert.pem": (await authority.issue({ names: [], days: 1, now })).certPem }),
    says: /^error: --tlssecret: Secret mine has no tls\.crt: it has cert\.pem\n$/,
  },
  {
    what: "whose key does not match",
    data: async () => ({ "tls.crt": program.certPem, "tls.key": (await authority.issue({ names: [], days: 1, now })).keyPem }),
    says: /^error: --tlssecret: Secret mine: tls\.key does not belong to tls\.crt\n$/,
  },
];

clusterTest("an unusable Secret is refused with one sentence before anything is created", async (namespace) => {
  for (const { what, data, says } of SECRETS) {
    if (data) {
      const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "mine" }, stringData: await data() };
      await kubectl(["replace", "--force", "-n", namespace.name, "-f", "-"], JSON.stringify(secret));
    }
    const { code, stderr } = await KurunProcess.run(["port-forward", "8080", "-n", namespace.name, "--tlssecret", "mine"]);
    assert.match(stderr, says, what);
    assert.equal(code, 2, what);
  }
  assert.equal(await kubectl(["get", "jobs,deployments,services", "-n", namespace.name, "-o", "name"]), "");
});

clusterTest("a Secret that callers may reject, or that kurun may not read, causes a warning and is served", async (namespace) => {
  await using upstream = serveHttps(() => new Response("here"));
  await putSecret(namespace, await authority.issue({ names: ["a.example"], days: -0.01, now }));
  {
    await using kurun = await portForward(namespace, upstream.url, "--tlssecret", "mine").ready();
    const [expired, names] = kurun.stderr.split("\n");
    assert.match(expired!, /^Warning: The certificate in Secret mine expired at .*: callers will refuse it$/);
    assert.equal(
      names,
      `Warning: The certificate in Secret mine is for a.example, not for kurun.${namespace.name}.svc: callers that use this name will refuse it`,
    );
  }
  await putSecret(namespace, await forService(namespace));
  await grantAllButSecrets(namespace);
  const as = ["--as", `system:serviceaccount:${namespace.name}:least`];
  await using kurun = await portForward(namespace, upstream.url, "--tlssecret", "mine", "--serviceport", "443", ...as).ready();
  assert.equal(
    kurun.remarks,
    `Warning: Secret mine could not be checked: reading it needs the right "get secrets" in namespace ${namespace.name}\n`,
  );
  assert.equal(await ask(`https://kurun.${namespace.name}.svc/`, [authority.certPem]), "200 here");
});

/** docs/rbac-port-forward.yaml without a right to read Secrets, for the ServiceAccount `least`. */
async function grantAllButSecrets(namespace: TestNamespace): Promise<void> {
  const text = await Deno.readTextFile(new URL("../../docs/rbac-port-forward.yaml", import.meta.url));
  const [role, binding] = parseAllDocuments(text).map((document) => document.toJS());
  for (const rule of role.rules as { resources: string[]; verbs: string[] }[]) {
    if (rule.resources.includes("secrets")) rule.verbs = rule.verbs.filter((verb) => verb === "create");
  }
  for (const subject of binding.subjects) Object.assign(subject, { name: "least", namespace: namespace.name });
  await kubectl(["create", "serviceaccount", "least", "-n", namespace.name]);
  await kubectl(["create", "-n", namespace.name, "-f", "-"], [role, binding].map((object) => stringify(object)).join("---\n"));
}
