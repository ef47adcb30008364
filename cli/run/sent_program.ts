import type { BuiltProgram } from "../builders/built_program.ts";
import type { SentProgram } from "./run_client.ts";

const READ_BYTES = 1024 * 1024;

/** A built program as it is sent. @param onTaken told how many of its bytes the Pod has */
export function sentProgram({ path, size, sha256 }: BuiltProgram, onTaken: (bytes: number) => void): SentProgram {
  return { size, sha256, onTaken, read: async (offset) => offset < size ? await readAt(path, offset) : null };
}

/** Opened anew at each read: two connections may be read for at the same time. */
async function readAt(path: string, offset: number): Promise<Uint8Array | null> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const buffer = new Uint8Array(READ_BYTES);
  const size = await file.read(buffer);
  return size === null ? null : buffer.subarray(0, size);
}
