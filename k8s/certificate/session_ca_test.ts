import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { TlsServer } from "../../tests/tls_server.ts";
import { dial } from "../api/dial.ts";
import { certificateNames } from "./read_certificate.ts";
import { LOCAL_HOSTS, serviceHosts, SESSION_CA, sessionCertificates } from "./session_ca.ts";

const NAMES = [...serviceHosts("hooks", "dev"), ...LOCAL_HOSTS];
const now = new Date();
const make = () => sessionCertificates({ names: NAMES, days: 30, now });

Deno.test("a session's certificate is valid for the names of its Service and for this machine, under its own authority only", async () => {
  const [certificates, other] = await Promise.all([make(), make()]);
  assert.deepEqual(certificateNames(certificates.certPem), NAMES);
  await using server = await TlsServer.listen({ certificate: certificates });
  const at = (ca: string, serverName: string) => dial({ host: "127.0.0.1", port: server.port, tls: { ca, serverName } });
  for (const name of ["hooks.dev.svc", "hooks.dev.svc.cluster.local", "hooks.dev", "hooks", "localhost", "127.0.0.1", "::1"]) {
    (await at(certificates.caPem, name)).reset();
  }
  await assert.rejects(at(certificates.caPem, "other.dev.svc"), { kind: "tls-name" });
  await assert.rejects(at(other.caPem, "hooks.dev.svc"), { kind: "tls-untrusted" });
});

Deno.test("a session's authority may sign certificates and its certificate may not, and nothing has the authority's key", async () => {
  const { caPem, certPem, keyPem } = await make();
  const [ca, leaf] = [new X509Certificate(caPem), new X509Certificate(certPem)];
  assert.equal(ca.ca, true);
  assert.equal(leaf.ca, false);
  assert.equal(ca.subject, `CN=${SESSION_CA}`);
  assert.equal(leaf.issuer, ca.subject);
  assert.notDeepEqual(ca.publicKey.export({ type: "spki", format: "pem" }), leaf.publicKey.export({ type: "spki", format: "pem" }));
  assert.equal([caPem, certPem, keyPem].join().match(/PRIVATE KEY/g)?.length, 2);
});

Deno.test("openssl verifies a session's certificate by the letter of RFC 5280", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { caPem, certPem, keyPem } = await make();
    for (const [name, pem] of Object.entries({ ca: caPem, cert: certPem, key: keyPem })) await Deno.writeTextFile(`${folder}/${name}`, pem);
    const strict = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", `${folder}/ca`];
    assert.deepEqual(await openssl(...strict, "-verify_hostname", "hooks.dev.svc", `${folder}/cert`), `${folder}/cert: OK\n`);
    assert.deepEqual(await openssl(...strict, "-verify_ip", "::1", `${folder}/cert`), `${folder}/cert: OK\n`);
    assert.match(await openssl("x509", "-noout", "-ext", "keyUsage,extendedKeyUsage", "-in", `${folder}/ca`), /Certificate Sign, CRL Sign/);
    assert.match(await openssl("x509", "-noout", "-ext", "extendedKeyUsage", "-in", `${folder}/cert`), /TLS Web Server Authentication/);
    const publicKey = await openssl("pkey", "-pubout", "-in", `${folder}/key`);
    assert.equal(await openssl("x509", "-noout", "-pubkey", "-in", `${folder}/cert`), publicKey);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function openssl(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("openssl", { args }).output();
  assert.ok(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
