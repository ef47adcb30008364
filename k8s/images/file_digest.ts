import { createHash, type Hash } from "node:crypto";

/** The sha256 digest of a file, as OCI writes digests: `sha256:` and hex digits. @throws Deno's errors if it cannot be read */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of (await Deno.open(path)).readable) hash.update(piece);
  return named(hash);
}

/** A finished hash as OCI writes digests. */
export function named(hash: Hash): string {
  return `sha256:${hash.digest("hex")}`;
}
