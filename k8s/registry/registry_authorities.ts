import { isLoopback } from "./registry_repository.ts";

/** Where systems keep the certificates that they trust: Debian's and Arch's, Fedora's, openSUSE's, Alpine's. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * The certificates that a registry's may be signed by, beside those that come with Deno: the system's own, and what Docker has for that
 * registry in certs.d. PEM.
 *
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
  // A registry on this machine has no certificate that a bundle would know; to read one takes 20 ms.
  return [...isLoopback(registry) ? [] : bundles.filter((text) => text !== undefined).slice(0, 1), ...own.flat()];
}

async function certificatesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const text = name.endsWith(".crt") ? await read(`${folder}/${name}`) : undefined;
      if (text !== undefined) found.push(text);
    }
  } catch {
    return []; // there is none
  }
  return found;
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return undefined;
  }
}
