import assert from "node:assert/strict";
import { certificateVariables } from "./certificates.ts";

Deno.test("programs get certificate authorities if the image has none, and keep the image's own", async () => {
  const root = await Deno.makeTempDir();
  try {
    const given = await certificateVariables(root, {}, root);
    assert.deepEqual(given, { SSL_CERT_FILE: `${root}/ca-certificates.crt` });
    const authorities = (await Deno.readTextFile(`${root}/ca-certificates.crt`)).split("-----BEGIN CERTIFICATE-----\n").length - 1;
    assert.ok(authorities > 100, `${authorities}`);
    assert.deepEqual(await certificateVariables(root, { SSL_CERT_FILE: "/mine.pem" }, root), {});
    assert.deepEqual(await certificateVariables(root, { SSL_CERT_DIR: "/mine" }, root), {});
    await Deno.mkdir(`${root}/etc/ssl/certs`, { recursive: true });
    assert.deepEqual(await certificateVariables(root, {}, root), given, "an empty folder has no authorities");
    await Deno.writeTextFile(`${root}/etc/ssl/certs/ca-certificates.crt`, "");
    assert.deepEqual(await certificateVariables(root, {}, root), {});
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
