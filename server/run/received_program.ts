import { ResumableReceiver, type ResumableSink } from "../../tunnel/mod.ts";

// Not static: modules of node would cost the start of each Pod that serves callers 50 ms and more.
const { createHash } = await import("node:crypto");

/** A program that the client sends, kept in a file. */
export class ReceivedProgram implements ResumableSink {
  readonly path: string;
  readonly receiver: ResumableReceiver = new ResumableReceiver(this);
  readonly #size: number;
  readonly #sha256: string;
  readonly #whole = Promise.withResolvers<void>();
  /** Resolves when the file is complete and matches its digest; rejects with a text for people. */
  readonly whole: Promise<void> = this.#whole.promise;
  readonly #digest = createHash("sha256");
  #file: Deno.FsFile | undefined;
  #ended = false;
  /** How many bytes were stored. */
  offset = 0;

  /** @param program its digest in hexadecimal, and its size in bytes */
  constructor(folder: string, { sha256, size }: { readonly sha256: string; readonly size: number }) {
    this.path = `${folder}/${sha256}`;
    this.#size = size;
    this.#sha256 = sha256;
    // Whoever starts the program gets the error; nobody may wait for it before.
    this.whole.catch(() => {});
  }

  /** Stores the next bytes. @throws Error if there is no room, for example */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      this.#file ??= await Deno.open(this.path, { write: true, create: true, truncate: true, mode: 0o700 });
      for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
    } catch (error) {
      throw this.#fail(`the Pod cannot store it: ${(error as Error).message}`);
    }
    this.#digest.update(bytes);
    this.offset += bytes.length;
  }

  /** Checks the file. @throws Error if it is not the program */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#file?.close();
    const found = this.#digest.digest("hex");
    if (this.offset === this.#size && found === this.#sha256) return this.#whole.resolve();
    throw this.#fail(`it did not arrive as it was sent: ${this.offset} of ${this.#size} bytes, with digest ${found}`);
  }

  #fail(why: string): Error {
    const error = new Error(why);
    this.#whole.reject(error);
    return error;
  }
}
