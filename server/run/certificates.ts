/** Where programs look for certificate authorities on Linux (Go's crypto/x509: root_linux.go), which covers OpenSSL's places too. */
const FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];
const FOLDERS = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/**
 * Gives programs certificate authorities where the Pod's image has none: without them every https call to a public server fails. They are
 * Mozilla's, as this Deno has them, so they need no image of ours and do not cross the tunnel.
 * @param folder where their file is written
 * @param env the image's environment, which may name authorities itself
 * @param root where the image's files begin; another than / is for tests
 * @returns variables for the environment of programs: none where the image has authorities
 */
export async function certificateVariables(
  folder: string,
  env: Readonly<Record<string, string>>,
  root = "",
): Promise<Record<string, string>> {
  if (env.SSL_CERT_FILE !== undefined || env.SSL_CERT_DIR !== undefined || await hasAuthorities(root)) return {};
  const path = `${folder}/ca-certificates.crt`;
  const { rootCertificates } = await import("node:tls");
  await Deno.writeTextFile(path, rootCertificates.map((pem) => `${pem.trim()}\n`).join(""));
  return { SSL_CERT_FILE: path };
}

async function hasAuthorities(root: string): Promise<boolean> {
  for (const file of FILES) if (await Deno.stat(root + file).then(({ isFile }) => isFile, () => false)) return true;
  const entries = await Promise.all(FOLDERS.map((folder) => Array.fromAsync(Deno.readDir(root + folder)).catch(() => [])));
  return entries.some(({ length }) => length > 0);
}
