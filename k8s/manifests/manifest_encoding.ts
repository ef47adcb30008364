/**
 * The text of a manifest's bytes: UTF-8, or UTF-16 where a byte order mark says so, as Windows PowerShell writes it and kubectl reads it.
 *
 * @returns the text with its byte order mark; undefined where the bytes are not valid
 */
export function decodeManifest(bytes: Uint8Array): string | undefined {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
