/** The contents of {@link fakeElf}. */
export interface FakeElf {
  /** e_machine: 62 is amd64, 183 arm64. @default 62 */
  readonly machine?: number;
  readonly interpreter?: string;
  readonly needed?: readonly string[];
}

/** The bytes of a 64-bit ELF file with headers and no program: what a dynamic loader reads first. */
export function fakeElf(elf: FakeElf): Uint8Array {
  const headers = 64 + 3 * 56;
  // The bytes from `headers` on are loaded at this address, so that addresses and offsets differ.
  const base = 0x400000;
  const interpreter = new TextEncoder().encode(`${elf.interpreter ?? ""}\0`);
  const strings = new TextEncoder().encode(["", ...elf.needed ?? [], ""].join("\0"));
  let name = 1;
  const names = (elf.needed ?? []).map((text) => (name += text.length + 1) - text.length - 1);
  const entries: [number, number][] = [
    ...names.map((offset): [number, number] => [1, offset]),
    [5, base + interpreter.length],
    [10, strings.length],
    [0, 0],
  ];
  const dynamicOffset = headers + interpreter.length + strings.length;
  const bytes = new Uint8Array(dynamicOffset + entries.length * 16);
  const view = new DataView(bytes.buffer);
  const long = (offset: number, value: number) => view.setBigUint64(offset, BigInt(value), true);

  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, elf.machine ?? 62, true);
  long(32, 64);
  view.setUint16(54, 56, true);
  view.setUint16(56, 3, true);
  const segments: [number, number, number, number][] = [
    [1, headers, base, bytes.length - headers],
    [2, dynamicOffset, 0, elf.needed ? entries.length * 16 : 0],
    [elf.interpreter ? 3 : 0, headers, base, interpreter.length],
  ];
  for (const [index, [type, offset, address, length]] of segments.entries()) {
    const at = 64 + index * 56;
    view.setUint32(at, type, true);
    long(at + 8, offset);
    long(at + 16, address);
    long(at + 32, length);
  }
  bytes.set(interpreter, headers);
  bytes.set(strings, headers + interpreter.length);
  for (const [index, [tag, value]] of entries.entries()) {
    long(dynamicOffset + index * 16, tag);
    long(dynamicOffset + index * 16 + 8, value);
  }
  return bytes;
}
