/** The beginning of a 64-bit little-endian ELF file: all that kurun reads of a shared library. */
export function elfHeader(architecture: "amd64" | "arm64"): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes[18] = architecture === "amd64" ? 62 : 183;
  return bytes;
}
