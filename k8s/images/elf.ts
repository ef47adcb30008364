/**
 * Reads what a Linux executable or shared library needs to start (System V gABI, "Program Loading and Dynamic Linking"). 64-bit
 * little-endian only, because Deno runs on nothing else.
 *
 * @module
 */

/** What a file needs to start. */
export interface ElfFile {
  /** The instruction set as Go and OCI name it; undefined for any other. */
  readonly architecture: "amd64" | "arm64" | undefined;
  /** The dynamic loader's path; libraries and static programs have none. */
  readonly interpreter?: string;
  /** The names of the shared libraries that it loads at its start (DT_NEEDED), in the file's order. */
  readonly needed: readonly string[];
}

/** A file is not a 64-bit little-endian ELF file, or is truncated. */
export class ElfError extends Error {
  override readonly name = "ElfError";
}

const HEADER_BYTES = 64;
/** The e_machine of the instruction sets that images are made for. */
const ARCHITECTURES = new Map([[62, "amd64"], [183, "arm64"]] as const);
const PT = { load: 1, dynamic: 2, interp: 3 } as const;
const DT = { needed: 1, strtab: 5, strsz: 10 } as const;
/** Far above any real table: a damaged file must not make us allocate gigabytes. */
const TABLE_LIMIT = 16 * 1024 * 1024;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

/**
 * Reads a file's headers only.
 * @throws ElfError if it is not such a file, and Deno's errors if it cannot be read
 */
export async function readElf(path: string): Promise<ElfFile> {
  using file = await Deno.open(path);
  const header = await readAt(file, path, 0, HEADER_BYTES);
  if (header.getUint32(0) !== 0x7f454c46) throw new ElfError(`${path} is not an ELF file`);
  if (header.getUint8(4) !== 2 || header.getUint8(5) !== 1) throw new ElfError(`${path} is not a 64-bit little-endian ELF file`);
  const segments = await readSegments(file, path, header);
  const interp = segments.find((segment) => segment.type === PT.interp);
  const interpreter = interp && cString(await readAt(file, path, interp.offset, interp.bytes), 0);
  const dynamic = segments.find((segment) => segment.type === PT.dynamic);
  const needed = dynamic ? await readNeeded(file, path, segments, dynamic) : [];
  return {
    architecture: ARCHITECTURES.get(header.getUint16(18, true) as 62 | 183),
    needed,
    ...interpreter !== undefined && { interpreter },
  };
}

async function readSegments(file: Deno.FsFile, path: string, header: DataView): Promise<Segment[]> {
  const size = header.getUint16(54, true);
  const count = header.getUint16(56, true);
  if (size < 56) throw new ElfError(`${path} has program headers of ${size} bytes, at least 56 are needed`);
  const table = await readAt(file, path, number(header, 32), size * count);
  return Array.from({ length: count }, (_, index) => ({
    type: table.getUint32(index * size, true),
    offset: number(table, index * size + 8),
    address: number(table, index * size + 16),
    bytes: number(table, index * size + 32),
  }));
}

async function readNeeded(file: Deno.FsFile, path: string, segments: Segment[], dynamic: Segment): Promise<string[]> {
  const table = await readAt(file, path, dynamic.offset, dynamic.bytes);
  const names: number[] = [];
  const values = new Map<number, number>();
  for (let at = 0; at + 16 <= table.byteLength; at += 16) {
    const tag = number(table, at);
    const value = number(table, at + 8);
    if (tag === DT.needed) names.push(value);
    else values.set(tag, value);
  }
  if (names.length === 0) return [];
  const address = values.get(DT.strtab) ?? 0;
  const load = segments.find((segment) =>
    segment.type === PT.load && segment.address <= address && address < segment.address + segment.bytes
  );
  if (!load) throw new ElfError(`${path} names libraries, but none of its segments holds the string table`);
  const strings = await readAt(file, path, load.offset + address - load.address, values.get(DT.strsz) ?? 0);
  return names.map((offset) => cString(strings, offset));
}

async function readAt(file: Deno.FsFile, path: string, offset: number, bytes: number): Promise<DataView> {
  if (bytes > TABLE_LIMIT) throw new ElfError(`${path} is damaged: it has a table of ${bytes} bytes`);
  const buffer = new Uint8Array(bytes);
  await file.seek(offset, Deno.SeekMode.Start);
  for (let filled = 0; filled < bytes;) {
    const read = await file.read(buffer.subarray(filled));
    if (read === null) throw new ElfError(`${path} is truncated: there are no ${bytes} bytes at ${offset}`);
    filled += read;
  }
  return new DataView(buffer.buffer);
}

/** A 64-bit field. File offsets, and the tags that are looked for, are far below 2^53. */
function number(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}

function cString(view: DataView, offset: number): string {
  const bytes = new Uint8Array(view.buffer, Math.min(offset, view.byteLength));
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
