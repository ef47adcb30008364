import { ImageError } from "./image_error.ts";

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_HEADER_BYTES = 30;

/**
 * The files of a zip archive without compression (PKWARE APPNOTE 4.3), as Go's `lib/time/zoneinfo.zip` is.
 *
 * @returns sorted by name
 * @throws ImageError for anything else
 */
export function storedZipFiles(zip: Uint8Array): [name: string, contents: Uint8Array][] {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  // A comment may follow the archive's end; Go's archive has none.
  const end = zip.length - END_BYTES;
  if (end < 0 || view.getUint32(end, true) !== END_SIGNATURE) throw damaged("it is not a zip archive, or has a comment");
  const count = view.getUint16(end + 10, true);
  const files: [string, Uint8Array][] = [];
  let at = view.getUint32(end + 16, true);
  for (let left = count; left > 0; left--) {
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY_SIGNATURE) throw damaged("its directory is cut or broken");
    const nameBytes = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(zip.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes));
    if (view.getUint16(at + 10, true) !== 0) throw damaged(`${name} is compressed`);
    const size = view.getUint32(at + 24, true);
    const header = view.getUint32(at + 42, true);
    const start = header + LOCAL_HEADER_BYTES + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    if (start + size > zip.length) throw damaged(`${name} is cut`);
    if (!name.endsWith("/")) files.push([name, zip.subarray(start, start + size)]);
    at += ENTRY_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files.sort(([a], [b]) => a < b ? -1 : 1);
}

function damaged(why: string): ImageError {
  return new ImageError(`Go's archive of time zones (lib/time/zoneinfo.zip in GOROOT) cannot be read: ${why}. Reinstall Go.`);
}
