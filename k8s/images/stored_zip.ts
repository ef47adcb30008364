/** A zip archive is none, or has what Go's archive of time zones never has. */
export class ZipError extends Error {
  override readonly name = "ZipError";
}

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_HEADER_BYTES = 30;

/**
 * The files of a zip archive whose files are stored as they are (PKWARE APPNOTE 4.3), as Go's `lib/time/zoneinfo.zip` is, sorted by name.
 *
 * @throws ZipError for anything else
 */
export function storedZipFiles(zip: Uint8Array): [name: string, contents: Uint8Array][] {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  // The archive's end may be followed by a comment; Go's has none.
  const end = zip.length - END_BYTES;
  if (end < 0 || view.getUint32(end, true) !== END_SIGNATURE) throw new ZipError("no zip archive, or one with a comment");
  const count = view.getUint16(end + 10, true);
  const files: [string, Uint8Array][] = [];
  let at = view.getUint32(end + 16, true);
  for (let left = count; left > 0; left--) {
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY_SIGNATURE) throw new ZipError("its directory is cut or broken");
    const nameBytes = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(zip.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes));
    if (view.getUint16(at + 10, true) !== 0) throw new ZipError(`${name} is compressed`);
    const size = view.getUint32(at + 24, true);
    const header = view.getUint32(at + 42, true);
    const start = header + LOCAL_HEADER_BYTES + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    if (start + size > zip.length) throw new ZipError(`${name} is cut`);
    if (!name.endsWith("/")) files.push([name, zip.subarray(start, start + size)]);
    at += ENTRY_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files.sort(([a], [b]) => a < b ? -1 : 1);
}
