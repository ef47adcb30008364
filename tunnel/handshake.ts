import { concat } from "./bytes.ts";
import { HandshakeError } from "./errors.ts";
import { decodeHello, encodeHello, equalBytes, type Hello, KEY_BYTES, MAX_HELLO_BYTES, proof, PROTOCOL_VERSION } from "./hello.ts";
import type { Transport } from "./transport.ts";

/** What a side brings to a handshake. */
export interface HandshakeOptions {
  /** The session's key, from its Secret. */
  readonly key: CryptoKey;
  /** This side's hello, without the version and the nonce, which are added here. */
  readonly hello: Pick<Hello, "capabilities" | "session" | "instance" | "who" | "from">;
  /** Ends the attempt; it should have a time limit. */
  readonly signal: AbortSignal;
}

/** The result of a handshake: the other side has proven itself. */
export interface Handshaken {
  readonly hello: Hello;
  /** Messages for the session; more may be added until it takes the transport over. */
  readonly rest: readonly Uint8Array[];
}

/**
 * The client's half, which proves itself first.
 * @param mayProve settles when this side may prove itself, and rejects to end the handshake before that
 * @throws HandshakeError, or what `mayProve` rejects with; the caller must end the transport
 */
export async function handshakeAsClient(
  transport: Transport,
  options: HandshakeOptions,
  mayProve: () => Promise<void> = () => Promise.resolve(),
): Promise<Handshaken> {
  const inbox = new Inbox(transport, options.signal);
  const mine = encodeHello(makeHello(options));
  transport.send(mine);
  const theirs = await inbox.next();
  const hello = decodeHello(theirs);
  if (hello.session !== options.hello.session) throw new HandshakeError(`The server is of session ${hello.session}`);
  await mayProve();
  // The server's proof is known before its answer arrives, behind which it may send more than waits here.
  const [mineProof, theirProof] = await Promise.all([
    proof(options.key, "client", mine, theirs),
    proof(options.key, "server", mine, theirs),
  ]);
  inbox.throwIfOver();
  transport.send(mineProof);
  const answer = await inbox.next();
  if (answer[0] !== 1) throw new HandshakeError(refusalText(answer));
  if (!equalBytes(answer.subarray(1), theirProof)) throw new HandshakeError("The server does not hold the session's key");
  return { hello, rest: inbox.release() };
}

/** The server's half, which tells an unproven peer only its hello. @throws HandshakeError; the caller must end the transport */
export async function handshakeAsServer(transport: Transport, options: HandshakeOptions): Promise<Handshaken> {
  const inbox = new Inbox(transport, options.signal);
  const theirs = await inbox.next();
  const hello = decodeHello(theirs);
  if (hello.session !== options.hello.session) throw new HandshakeError("The client is of another session");
  const mine = encodeHello(makeHello(options));
  transport.send(mine);
  const theirProof = await inbox.next();
  if (!equalBytes(theirProof, await proof(options.key, "client", theirs, mine))) {
    throw new HandshakeError("The client does not hold the session's key");
  }
  transport.send(concat(new Uint8Array([1]), await proof(options.key, "server", theirs, mine)));
  return { hello, rest: inbox.release() };
}

/** Refuses a peer, with a sentence that reveals nothing. */
export function sendRefusal(transport: Transport, sentence: string): void {
  transport.send(concat(new Uint8Array([0]), new TextEncoder().encode(sentence)));
}

function makeHello(options: HandshakeOptions): Hello {
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(KEY_BYTES))));
  return { version: PROTOCOL_VERSION, ...options.hello, nonce };
}

function refusalText(answer: Uint8Array): string {
  const text = new TextDecoder().decode(answer.subarray(1, 200)).replace(/\p{C}/gu, "");
  return text === "" ? "The server refused" : `The server refused: ${text}`;
}

/** A session's first frames may arrive right behind the last message; this is more than one message of the tunnel holds. */
const MAX_WAITING_BYTES = 512 * 1024;
/** What a part costs besides its bytes: an unproven peer could fill the heap with empty messages. */
const PART_BYTES = 128;

/** Reads the messages of a handshake one by one, and bounds their size. */
class Inbox {
  readonly #transport: Transport;
  readonly #signal: AbortSignal;
  #messages: Uint8Array[] = [];
  /** Of a message whose end has not arrived. */
  #parts: Uint8Array[] = [];
  #waitingBytes = 0;
  #failure: Error | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(transport: Transport, signal: AbortSignal) {
    this.#transport = transport;
    this.#signal = signal;
    transport.onmessage = (part, last) => {
      this.#waitingBytes += part.length + PART_BYTES;
      if (this.#waitingBytes > MAX_WAITING_BYTES) return this.#fail(new HandshakeError("The other side sends more than a handshake has"));
      this.#parts.push(part.slice());
      if (!last) return;
      this.#messages.push(concat(...this.#parts));
      this.#parts = [];
      this.#waiting?.resolve();
    };
    transport.onclose = (end) => {
      const why = end.reason === "" ? `code ${end.code}` : `${end.code} ${end.reason.replace(/\p{C}/gu, "")}`;
      this.#fail(new HandshakeError(`The connection ended during the handshake (${why})`));
    };
    signal.addEventListener("abort", this.#aborted);
    if (signal.aborted) this.#aborted();
    if (transport.ended) transport.onclose(transport.ended);
  }

  async next(): Promise<Uint8Array> {
    if (this.#messages.length === 0 && !this.#failure) {
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
    const message = this.#failure ? undefined : this.#messages.shift();
    this.#waitingBytes -= message?.length ?? 0;
    if (message && message.length <= MAX_HELLO_BYTES) return message;
    this.#fail(new HandshakeError(`A message of ${message?.length} bytes is too long for the handshake`));
    throw this.#failure;
  }

  /** @throws what has ended the handshake */
  throwIfOver(): void {
    if (this.#failure) throw this.#failure;
  }

  release(): Uint8Array[] {
    this.#signal.removeEventListener("abort", this.#aborted);
    // Where messages end means nothing to a session.
    const rest = [...this.#messages, ...this.#parts];
    this.#messages = [];
    this.#parts = [];
    // A read of the same turn of the event loop may come before the session takes over.
    this.#transport.onmessage = (part) => void rest.push(part.slice());
    return rest;
  }

  readonly #aborted = () => this.#fail(new HandshakeError("The other side did not finish the handshake in time"));

  /** Drops what still arrives: a refused peer must not fill the memory until its connection is closed. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.release();
    this.#transport.onmessage = undefined;
    this.#waiting?.resolve();
  }
}
