/**
 * Writes tar archives: POSIX ustar, with a pax extended header (IEEE Std 1003.1-2001) for names that do not fit. The same entries give the
 * same bytes: entries keep their order, times are 0, and root owns everything.
 *
 * @module
 */
import { createTarPacker, type TarPackController } from "modern-tar";
import { ImageError } from "./image_error.ts";

/** An entry of an archive: a directory, a regular file, or a symbolic link whose text is written unchanged. */
export type TarEntry =
  & {
    /** The path in the archive: relative, with `/`, without `.` and `..`, and without a trailing `/`. */
    readonly path: string;
    /** Permission bits, set-id and sticky bits included. @default 0o755 for directories, 0o644 for files, 0o777 for links */
    readonly mode?: number;
  }
  & (
    | { readonly type: "directory" }
    | { readonly type: "file"; readonly contents: FileContents }
    | { readonly type: "symlink"; readonly target: string }
  );

/** Bytes, or a file of this machine, which is copied piece by piece. */
export type FileContents = Uint8Array | { readonly copyOf: string };

/** A ustar size field has 11 octal digits. */
const SIZE_LIMIT = 8 ** 11;
const DEFAULT_MODE = { file: 0o644, symlink: 0o777, directory: 0o755 } as const;
/** A real time would make each archive differ. */
const EPOCH = new Date(0);

/**
 * Yields the bytes of an archive in pieces, which the caller may keep. Files are copied as the archive is read.
 * @throws TypeError for a path that is absolute, empty or contains `.` or `..`, RangeError for a file of 8 GiB or more, ImageError if a
 * copied file shrinks or grows in the meantime, and Deno's errors if one cannot be read
 */
export async function* tar(entries: Iterable<TarEntry> | AsyncIterable<TarEntry>): AsyncGenerator<Uint8Array, void> {
  const { readable, controller } = createTarPacker();
  const packed = pack(entries, controller);
  yield* readable;
  await packed;
}

/** Never rejects: an error becomes the archive's. */
async function pack(entries: Iterable<TarEntry> | AsyncIterable<TarEntry>, controller: TarPackController): Promise<void> {
  try {
    for await (const entry of entries) {
      const contents = entry.type === "file" ? entry.contents : new Uint8Array();
      if (!(contents instanceof Uint8Array)) {
        await packCopy(entry, contents.copyOf, controller);
        continue;
      }
      const writer = addEntry(entry, contents.length, controller);
      if (contents.length > 0) await writer.write(contents);
      await writer.close();
    }
    controller.finalize();
  } catch (error) {
    controller.error(error);
  }
}

async function packCopy(entry: TarEntry, source: string, controller: TarPackController): Promise<void> {
  using file = await Deno.open(source);
  const { size } = await file.stat();
  const writer = addEntry(entry, size, controller);
  let copied = 0;
  for await (const piece of file.readable) {
    copied += piece.length;
    if (copied > size) break;
    await writer.write(piece);
  }
  if (copied !== size) {
    throw new ImageError(`${source} changed while it was packed: it had ${size} bytes, then ${copied > size ? "more" : copied}`);
  }
  await writer.close();
}

/** Writes an entry's header. @returns where its contents go */
function addEntry(entry: TarEntry, size: number, controller: TarPackController): WritableStreamDefaultWriter<Uint8Array> {
  const { path, type, mode = DEFAULT_MODE[type] } = entry;
  if (path.includes("\0") || path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    throw new TypeError(`Cannot pack "${path}": a path in an archive must be relative, without empty parts, "." and ".."`);
  }
  if (size >= SIZE_LIMIT) throw new RangeError(`Cannot pack ${path}: it has ${size} bytes, and the limit is ${SIZE_LIMIT - 1}`);
  const name = type === "directory" ? `${path}/` : path;
  const linkname = type === "symlink" ? { linkname: entry.target } : {};
  return controller.add({ name, type, size, mode, uid: 0, gid: 0, mtime: EPOCH, ...linkname }).getWriter();
}
