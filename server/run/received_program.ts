import { createHash } from "node:crypto";
import { ResumableReceiver, type ResumableSink, type Stream } from "../../tunnel/mod.ts";

/** A program that the client sends, kept in a file. */
export class ReceivedProgram {
  readonly path: string;
  /** Resolves when the file is complete and matches its digest; rejects with a text for people. */
  readonly whole: Promise<void>;
  readonly #receiver: ResumableReceiver;

  /** @param program its digest in hexadecimal, and its size in bytes */
  constructor(folder: string, program: { readonly sha256: string; readonly size: number }) {
    this.path = `${folder}/${program.sha256}`;
    const file = new ProgramFile(this.path, program);
    this.#receiver = new ResumableReceiver(file);
    this.whole = file.whole;
    // Whoever starts the program gets the error; nobody may wait for it before.
    this.whole.catch(() => {});
  }

  /** Receives it over one stream. @throws what ends the stream before the program is complete */
  async receive(stream: Stream, first: Uint8Array): Promise<void> {
    await this.#receiver.receive(stream, first);
  }

  /** Removes the file. */
  async remove(): Promise<void> {
    await Deno.remove(this.path).catch(() => {});
  }
}

class ProgramFile implements ResumableSink {
  readonly #path: string;
  readonly #program: { readonly sha256: string; readonly size: number };
  readonly #whole = Promise.withResolvers<void>();
  readonly #digest = createHash("sha256");
  #file: Deno.FsFile | undefined;
  #offset = 0;
  #ended = false;

  constructor(path: string, program: { readonly sha256: string; readonly size: number }) {
    this.#path = path;
    this.#program = program;
  }

  get offset(): number {
    return this.#offset;
  }

  get whole(): Promise<void> {
    return this.#whole.promise;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      this.#file ??= await Deno.open(this.#path, { write: true, create: true, truncate: true, mode: 0o700 });
      for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
    } catch (error) {
      throw this.#fail(`the Pod cannot store it: ${(error as Error).message}`);
    }
    this.#digest.update(bytes);
    this.#offset += bytes.length;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#file?.close();
    const { size, sha256 } = this.#program;
    const found = this.#digest.digest("hex");
    if (this.#offset === size && found === sha256) return this.#whole.resolve();
    throw this.#fail(`it did not arrive as it was sent: ${this.#offset} of ${size} bytes, with digest ${found}`);
  }

  #fail(why: string): Error {
    const error = new Error(why);
    this.#whole.reject(error);
    return error;
  }
}
