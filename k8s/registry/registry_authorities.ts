import { isLoopback } from "./registry_repository.ts";

/** Where systems keep the certificate authorities that they trust: Debian and Arch, Fedora, openSUSE, Alpine. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * The certificate authorities to trust for a registry in addition to Deno's: the system's, and those that Docker has for it in certs.d. PEM.
 * @param registry host and port
 */
export async function registryAuthorities(
  registry: string,
  { env, home }: { env(name: string): string | undefined; home: string | undefined },
): Promise<string[]> {
  const named = env("SSL_CERT_FILE");
  const bundles = await Promise.all((named ? [named] : BUNDLES).map(read));
  const folders = ["/etc/docker/certs.d", "/etc/containers/certs.d", ...home ? [`${home}/.docker/certs.d`] : []];
  const own = await Promise.all(folders.map((folder) => certificatesIn(`${folder}/${registry}`)));
  // No bundle has an authority for localhost, and reading one takes 20 ms.
  return [...isLoopback(registry) ? [] : bundles.filter((text) => text !== undefined).slice(0, 1), ...own.flat()];
}

async function certificatesIn(folder: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name).catch(() => []);
  const texts = await Promise.all(names.filter((name) => name.endsWith(".crt")).map((name) => read(`${folder}/${name}`)));
  return texts.filter((text) => text !== undefined);
}

async function read(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}
