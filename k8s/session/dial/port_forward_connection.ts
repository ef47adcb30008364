import { type Connection, release } from "../../../tunnel/mod.ts";
import { hasHeadroom, withRoomBefore } from "../../../tunnel/read_buffers.ts";
import { applyMask, encodeClose, frameHeaderBytes, Opcode, writeFrameHeader } from "../../../tunnel/web_socket/frame.ts";
import { FrameReader } from "../../../tunnel/web_socket/frame_reader.ts";

/** The subprotocol of `pods/NAME/portforward`: each message begins with the number of its channel. */
export const PORT_FORWARD_PROTOCOL = "v4.channel.k8s.io";
/** The channels of the first port that is asked for. The first message of each repeats the port. */
const DATA = 0;
const ERROR = 1;
/** containerd copies by 32 KiB; nothing that it sends comes close to this. */
const LIMITS = { messageBytes: 1024 * 1024, fragments: 64 };
/** The most that is kept of an error's text, in characters. */
const MAX_REFUSAL = 1024;

/**
 * A connection to a port of a Pod, over a WebSocket to `pods/NAME/portforward`. It has no half-close: {@link closeWrite} ends it.
 * It reads only when somebody asks, so that a slow reader slows the Pod down.
 */
export class PortForwardConnection implements Connection {
  /** Why the Pod's port could not be reached, in the cluster's words. */
  refusal: string | undefined;
  readonly #below: Connection;
  readonly #maskingKey: () => number;
  readonly #reader: FrameReader;
  readonly #chunks: Uint8Array[] = [];
  /** The channel of the message that is being read. */
  #channel: number | undefined;
  /** The channels whose first message has arrived. */
  readonly #begun = new Set<number>();
  #sent: Promise<void> = Promise.resolve();
  #ponging = false;
  #ended = false;
  #failure: Error | undefined;

  /**
   * @param below carries the frames
   * @param maskingKey makes the masking keys (RFC 6455, 5.3)
   */
  constructor(below: Connection, maskingKey: () => number) {
    this.#below = below;
    this.#maskingKey = maskingKey;
    const message = (part: Uint8Array, last: boolean) => this.#arrived(part, last);
    const close = () => this.#ended = true;
    this.#reader = new FrameReader({ message, ping: (payload) => this.#pong(payload), pong: () => {}, close }, false, LIMITS);
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) return chunk;
      if (this.#failure) throw this.#failure;
      if (this.#ended) return null;
      try {
        const bytes = await this.#below.read();
        if (bytes === null) throw new Error("the connection ended");
        this.#reader.push(bytes);
        // The rest are headers, which nobody else looks at.
        release(bytes.subarray(this.#chunks.reduce((sum, { length }) => sum + length, 0)));
      } catch (error) {
        this.#failure ??= error as Error;
      }
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#send(Opcode.binary, bytes, 1);
  }

  closeWrite(): void {
    this.#send(Opcode.close, encodeClose(1000, ""), 0).catch(() => {}).finally(() => this.reset());
  }

  reset(): void {
    this.#failure ??= new Error("the connection was closed here");
    this.#below.reset();
  }

  /** A flood of pings gets few answers. */
  #pong(payload: Uint8Array): void {
    if (this.#ponging) return;
    this.#ponging = true;
    this.#send(Opcode.pong, payload.slice(), 0).catch(() => {}).finally(() => this.#ponging = false);
  }

  /** Sends a frame after all before it. @param channelBytes 1 for data, whose channel is 0 */
  #send(opcode: number, payload: Uint8Array, channelBytes: 0 | 1): Promise<void> {
    const size = channelBytes + payload.length;
    const room = frameHeaderBytes(size, true) + channelBytes;
    let bytes: Uint8Array;
    if (hasHeadroom(payload)) bytes = withRoomBefore(payload, room);
    else {
      bytes = new Uint8Array(room + payload.length);
      bytes.set(payload, room);
      release(payload);
    }
    const mask = this.#maskingKey();
    const start = writeFrameHeader(bytes, 0, opcode, size, mask);
    bytes.fill(DATA, start, room);
    applyMask(bytes.subarray(start), mask, 0);
    return this.#sent = this.#sent.then(() => this.#below.write(bytes));
  }

  #arrived(part: Uint8Array, last: boolean): void {
    const isFirst = this.#channel === undefined && part.length > 0;
    const channel = this.#channel ??= part[0];
    const rest = isFirst ? part.subarray(1) : part;
    if (last) this.#channel = undefined;
    if (channel === undefined || !this.#begun.has(channel)) {
      if (channel !== undefined && last) this.#begun.add(channel);
    } else if (channel === DATA) {
      if (rest.length > 0) this.#chunks.push(rest);
    } else if (channel === ERROR) {
      this.refusal = ((this.refusal ?? "") + new TextDecoder().decode(rest)).slice(0, MAX_REFUSAL);
      if (last) this.#failure = new Error(this.refusal);
    }
  }
}
