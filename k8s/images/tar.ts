/**
 * Writes tar archives: POSIX ustar (IEEE Std 1003.1-1988), with a pax extended header (1003.1-2001) for names that do not fit. The same
 * entries give the same bytes: entries keep their order, and times and owners are fixed.
 *
 * @module
 */
import { ImageError } from "./image_error.ts";

/** The fields of every entry. */
interface TarEntryBase {
  /** The path in the archive: relative, with `/`, without `.` and `..`, and without a trailing `/`. */
  readonly path: string;
  /** Permission bits, set-id and sticky bits included. @default 0o755 for directories, 0o644 for files, 0o777 for links */
  readonly mode?: number;
  /** @default 0 */
  readonly uid?: number;
  /** @default 0 */
  readonly gid?: number;
}

/** A directory. */
export interface TarDirectory extends TarEntryBase {
  readonly type: "directory";
}

/** A regular file, from bytes or from a file of this machine, which is copied piece by piece. */
export interface TarFile extends TarEntryBase {
  readonly type: "file";
  readonly contents: Uint8Array | { readonly copyOf: string };
}

/** A symbolic link. */
export interface TarSymlink extends TarEntryBase {
  readonly type: "symlink";
  /** The link's text, written unchanged. */
  readonly target: string;
}

/** An entry of an archive. */
export type TarEntry = TarDirectory | TarFile | TarSymlink;

const BLOCK_BYTES = 512;
/** Bytes per read of a file: more did not make packing faster, less costs more calls. */
const READ_BYTES = 256 * 1024;
/** ustar's size field has 11 octal digits. */
const SIZE_LIMIT = 8 ** 11;
/** ustar's uid and gid fields have 7 octal digits. */
const ID_LIMIT = 8 ** 7;
const TYPE_FLAG = { file: "0", symlink: "2", directory: "5", pax: "x" } as const;
const DEFAULT_MODE = { file: 0o644, symlink: 0o777, directory: 0o755 } as const;

const encoder = new TextEncoder();

/**
 * The bytes of an archive, piece by piece; the caller may keep the pieces. Copied files are read as the archive is.
 *
 * @throws TypeError for a path that is absolute, empty or has `.` or `..`
 * @throws RangeError for a file of 8 GiB or more, an id above 2097151
 * @throws ImageError where a copied file shrinks or grows meanwhile
 * @throws Deno's errors where a copied file cannot be read
 */
export async function* tar(entries: Iterable<TarEntry> | AsyncIterable<TarEntry>): AsyncGenerator<Uint8Array, void> {
  for await (const entry of entries) {
    if (entry.type !== "file") {
      yield entryHeader(entry, 0);
    } else if (entry.contents instanceof Uint8Array) {
      yield entryHeader(entry, entry.contents.length);
      yield entry.contents;
      yield padding(entry.contents.length);
    } else {
      yield* copiedFile(entry, entry.contents.copyOf);
    }
  }
  yield new Uint8Array(2 * BLOCK_BYTES);
}

async function* copiedFile(entry: TarFile, source: string): AsyncGenerator<Uint8Array, void> {
  using file = await Deno.open(source);
  const { size } = await file.stat();
  yield entryHeader(entry, size);
  let copied = 0;
  while (true) {
    const buffer = new Uint8Array(READ_BYTES);
    const read = await file.read(buffer);
    if (read === null) break;
    copied += read;
    if (copied > size) break;
    yield buffer.subarray(0, read);
  }
  if (copied !== size) {
    throw new ImageError(
      `${source} changed while it was packed: it had ${size} bytes, then ${copied > size ? "more" : copied}`,
    );
  }
  yield padding(size);
}

function padding(size: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES);
}

/** An entry's header block, preceded by a pax header where its names need one. */
function entryHeader(entry: TarEntry, size: number): Uint8Array {
  checkPath(entry.path);
  if (size >= SIZE_LIMIT) throw new RangeError(`Cannot pack ${entry.path}: ${size} bytes, ustar holds less than ${SIZE_LIMIT}`);
  const path = entry.type === "directory" ? `${entry.path}/` : entry.path;
  const target = entry.type === "symlink" ? entry.target : "";
  const split = splitPath(path);
  const records: [string, string][] = [];
  if (!split) records.push(["path", path]);
  if (!fits(target, 100)) records.push(["linkpath", target]);
  const header = headerBlock({
    name: split?.name ?? cut(path),
    prefix: split?.prefix ?? "",
    target: fits(target, 100) ? target : cut(target),
    flag: TYPE_FLAG[entry.type],
    mode: entry.mode ?? DEFAULT_MODE[entry.type],
    uid: id(entry.uid, entry.path),
    gid: id(entry.gid, entry.path),
    size,
  });
  return records.length > 0 ? concat(paxHeader(records), header) : header;
}

function checkPath(path: string): void {
  const bad = path.split("/").some((part) => part === "" || part === "." || part === "..");
  if (bad || path.includes("\0")) {
    throw new TypeError(`Cannot pack "${path}": a path in an archive is relative and has no empty part, "." or ".."`);
  }
}

function id(value: number | undefined, path: string): number {
  const number = value ?? 0;
  if (!Number.isInteger(number) || number < 0 || number >= ID_LIMIT) {
    throw new RangeError(`Cannot pack ${path}: an id must be 0 to ${ID_LIMIT - 1}, it is ${number}`);
  }
  return number;
}

/** ustar does not define an encoding of names, so its fields get ASCII only; pax is UTF-8. */
function fits(text: string, bytes: number): boolean {
  // deno-lint-ignore no-control-regex
  return text.length <= bytes && /^[\x01-\x7f]*$/.test(text);
}

/** Splits a path at a `/` into ustar's prefix (155 bytes) and name (100 bytes). @returns undefined where it does not fit */
function splitPath(path: string): { prefix: string; name: string } | undefined {
  if (fits(path, 100)) return { prefix: "", name: path };
  if (!fits(path, 256)) return undefined;
  // The first slash that leaves a name of at most 100 bytes; a slash at the end would leave no name.
  const at = path.indexOf("/", path.length - 101);
  return at > 0 && at <= 155 && at < path.length - 1 ? { prefix: path.slice(0, at), name: path.slice(at + 1) } : undefined;
}

/** The name field of an entry whose real name is in the pax header, for readers that do not know pax. */
function cut(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[^\x01-\x7f]/g, "_").slice(0, 100);
}

/** A pax extended header for the next entry. A record is `LENGTH KEY=VALUE\n`; the length counts itself. */
function paxHeader(records: [string, string][]): Uint8Array {
  const body = encoder.encode(
    records.map(([key, value]) => {
      const rest = encoder.encode(` ${key}=${value}\n`).length;
      let length = rest + String(rest).length;
      if (rest + String(length).length > length) length++;
      return `${length} ${key}=${value}\n`;
    }).join(""),
  );
  const header = headerBlock({
    name: "pax_header",
    prefix: "",
    target: "",
    flag: TYPE_FLAG.pax,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
  });
  return concat(header, body, padding(body.length));
}

interface HeaderFields {
  name: string;
  prefix: string;
  target: string;
  flag: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
}

function headerBlock(fields: HeaderFields): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const text = (offset: number, value: string) => block.set(encoder.encode(value), offset);
  const octal = (offset: number, digits: number, value: number) => text(offset, value.toString(8).padStart(digits, "0"));
  text(0, fields.name);
  octal(100, 7, fields.mode & 0o7777);
  octal(108, 7, fields.uid);
  octal(116, 7, fields.gid);
  octal(124, 11, fields.size);
  octal(136, 11, 0); // modified in 1970: a real time would make each archive differ
  text(148, " ".repeat(8)); // the checksum counts itself as spaces
  text(156, fields.flag);
  text(157, fields.target);
  text(257, "ustar\0" + "00");
  octal(329, 7, 0);
  octal(337, 7, 0);
  text(345, fields.prefix);
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
