import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { certificateAuthority } from "../../../tests/certificate_authority.ts";
import { selfSignedServerCertificate } from "../../certificate/certificate.ts";
import { certificateNames, coversHost } from "../../certificate/read_certificate.ts";
import { checkTlsData, TlsSecretError } from "./tls_secret.ts";

const now = new Date();
const authority = await certificateAuthority({ commonName: "the tests' authority", days: 1, now });
const good = await authority.issue({ names: ["hook.dev.svc", "10.0.0.1", "::ffff:0:1"], days: 1, now });
const other = await authority.issue({ names: ["hook.dev.svc"], days: 1, now });

function check(data: Record<string, string>, at = now): string[] {
  const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, btoa(text)]));
  return checkTlsData(encoded, { name: "mine", namespace: "dev", service: "hook", now: at });
}

Deno.test("a Secret with the Service's certificate, its chain and its key is accepted without warnings", () => {
  assert.deepEqual(check({ "tls.crt": good.certPem + authority.certPem, "tls.key": good.keyPem }), []);
});

Deno.test("a certificate whose key cannot be read, as one of Ed25519 on Deno 2.6, is accepted", () => {
  const own = Object.getOwnPropertyDescriptor(X509Certificate.prototype, "publicKey") as PropertyDescriptor;
  const get = () => {
    throw new TypeError("unsupported x509 public key type");
  };
  Object.defineProperty(X509Certificate.prototype, "publicKey", { ...own, get });
  try {
    assert.deepEqual(check({ "tls.crt": good.certPem, "tls.key": good.keyPem }), []);
  } finally {
    Object.defineProperty(X509Certificate.prototype, "publicKey", own);
  }
});

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" }) as string;
for (
  const [what, data, sentence] of [
    ["without tls.crt", { "tls.key": good.keyPem, "ca.crt": "" }, "Secret mine has no tls.crt: it has tls.key, ca.crt"],
    ["without tls.key", { "tls.crt": good.certPem }, "Secret mine has no tls.key: it has tls.crt"],
    ["that is empty", {}, "Secret mine has no tls.crt: it is empty"],
    [
      "with another certificate's key",
      { "tls.crt": good.certPem, "tls.key": other.keyPem },
      "Secret mine: tls.key does not belong to tls.crt",
    ],
    ["with a key of another kind", { "tls.crt": good.certPem, "tls.key": rsa }, "Secret mine: tls.key does not belong to tls.crt"],
    [
      "with text for a certificate",
      { "tls.crt": "text", "tls.key": good.keyPem },
      /^Secret mine: tls\.crt is not a valid certificate: /,
    ],
    ["with text for a key", { "tls.crt": good.certPem, "tls.key": "text" }, /^Secret mine: tls\.key is not a valid private key: /],
  ] as const
) {
  Deno.test(`a Secret ${what} is refused with one sentence`, () => {
    assert.throws(
      () => check(data),
      (error) =>
        error instanceof TlsSecretError && (typeof sentence === "string" ? error.message === sentence : sentence.test(error.message)),
    );
  });
}

Deno.test("a certificate that has expired, is not valid yet, or is for other names causes a warning", async () => {
  const data = { "tls.crt": good.certPem, "tls.key": good.keyPem };
  const day = 24 * 60 * 60 * 1000;
  assert.match(
    check(data, new Date(now.getTime() + 2 * day)).join(),
    /^The certificate in Secret mine expired at \d{4}-.*Z: callers will refuse it$/,
  );
  assert.match(check(data, new Date(now.getTime() - day)).join(), /^The certificate in Secret mine is not valid before \d{4}-.*Z: /);
  const wrong = await selfSignedServerCertificate({ names: ["a.example", "b.example"], days: 1, now });
  assert.deepEqual(check({ "tls.crt": wrong.certPem, "tls.key": wrong.keyPem }), [
    "The certificate in Secret mine is for a.example, b.example, not for hook.dev.svc: callers that use this name will refuse it",
  ]);
  const nameless = await selfSignedServerCertificate({ names: [], days: 1, now });
  assert.match(
    check({ "tls.crt": nameless.certPem, "tls.key": nameless.keyPem }).join(),
    /is for no name, not for hook\.dev\.svc/,
  );
});

Deno.test("a certificate's names and addresses are read, and a wildcard matches one label", () => {
  assert.deepEqual(certificateNames(good.certPem), ["hook.dev.svc", "10.0.0.1", "::ffff:0:1"]);
  assert.deepEqual(certificateNames(authority.certPem), []);
  assert.throws(() => certificateNames("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"), TypeError);
  assert.ok(coversHost(["*.dev.svc"], "Hook.dev.svc"));
  assert.ok(!coversHost(["*.svc"], "hook.dev.svc"));
  assert.ok(!coversHost(["*.dev.svc"], "dev.svc"));
});
