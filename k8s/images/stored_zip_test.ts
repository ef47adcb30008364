import { deepStrictEqual as same, throws } from "node:assert/strict";
import { storedZipFiles } from "./stored_zip.ts";

/** A zip by PKWARE's APPNOTE, with the fields that are read. */
function zip(files: readonly [string, string][], method = 0): Uint8Array {
  const bytes: number[] = [];
  const number = (value: number, size: number) => Array.from({ length: size }, (_, at) => value >> (8 * at) & 255);
  const text = (value: string) => [...new TextEncoder().encode(value)];
  const directory: number[] = [];
  for (const [name, contents] of files) {
    const header = bytes.length;
    const sizes = [...number(0, 4), ...number(contents.length, 4), ...number(contents.length, 4), ...number(name.length, 2)];
    bytes.push(...number(0x04034b50, 4), ...number(0, 4), ...number(method, 2), ...number(0, 4), ...sizes, ...number(3, 2));
    bytes.push(...text(name), 1, 2, 3, ...text(contents));
    directory.push(...number(0x02014b50, 4), ...number(0, 6), ...number(method, 2), ...number(0, 4), ...sizes, ...number(2, 2));
    directory.push(...number(0, 2 + 2 + 2 + 4), ...number(header, 4), ...text(name), 9, 9);
  }
  const at = bytes.length;
  bytes.push(...directory, ...number(0x06054b50, 4), ...number(0, 4), ...number(files.length, 2), ...number(files.length, 2));
  bytes.push(...number(directory.length, 4), ...number(at, 4), ...number(0, 2));
  return new Uint8Array(bytes);
}

Deno.test("storedZipFiles() reads uncompressed files sorted by name, without folders", () => {
  const files = storedZipFiles(zip([["b/", ""], ["b/c", "two"], ["a", "one"]]));
  same(files.map(([name, contents]) => [name, new TextDecoder().decode(contents)]), [["a", "one"], ["b/c", "two"]]);
});

Deno.test("storedZipFiles() refuses anything that is not a zip, is cut, or is compressed", () => {
  throws(() => storedZipFiles(new Uint8Array(5)), /not a zip archive/);
  throws(() => storedZipFiles(zip([["a", "one"]]).subarray(0, -1)), /not a zip archive/);
  throws(() => storedZipFiles(zip([["a", "one"]]).subarray(3)), /cut or broken/);
  throws(() => storedZipFiles(zip([["a", "one"]], 8)), /a is compressed/);
});
