/**
 * What the server itself says to a caller in HTTP/2 when nobody else can: an answer on each stream that waits for one, then GOAWAY, for
 * the connection ends. GOAWAY alone is no answer: clients would ask again at once on a new connection, without end.
 *
 * @module
 */
import type { Http2Exchanges } from "./http2_exchanges.ts";
import { Flag, FrameType } from "./http2_frames.ts";

/** Codes of errors (RFC 9113, 7). */
const NO_ERROR = 0;
const INTERNAL_ERROR = 2;
/** gRPC's code for what 502 and 503 mean: UNAVAILABLE. */
const GRPC_UNAVAILABLE = "14";
/** Places in HPACK's static table (RFC 7541, appendix A). */
const STATUS = 8;
const STATUS_200 = 0x88;
const CONTENT_TYPE = 31;

const encoder = new TextEncoder();

/** SETTINGS that say nothing, which a connection's first frame must be. */
export function http2Settings(): Uint8Array {
  return new Uint8Array(frame(FrameType.settings, 0, 0, []));
}

/** GOAWAY: no new streams above `lastStream`; clients may try again what is above it (RFC 9113, 6.8). @param sentence for people */
export function http2GoAway(lastStream: number, sentence: string): Uint8Array {
  return new Uint8Array(goAway(lastStream, sentence));
}

/**
 * The answers to all streams that wait, and GOAWAY. A stream whose answer has begun is reset: half an answer must not look whole.
 * @param greeted whether our SETTINGS were the connection's first
 */
export function http2Answers(exchanges: Http2Exchanges, status: 502 | 503, sentence: string, greeted: boolean): Uint8Array {
  const out: number[] = [];
  if (greeted && exchanges.settingsSeen) out.push(...frame(FrameType.settings, Flag.ack, 0, []));
  const text = encoder.encode(`${sentence}\n`);
  const headers = [
    ...literal(STATUS, `${status}`),
    ...literal(CONTENT_TYPE, "text/plain; charset=utf-8"),
    ...named("x-content-type-options", "nosniff"),
  ];
  let room = exchanges.connectionRoom;
  for (const { id, answering, isGrpc } of exchanges.open) {
    if (answering) {
      out.push(...frame(FrameType.rstStream, 0, id, uint32(INTERNAL_ERROR)));
    } else if (isGrpc) {
      out.push(...frame(FrameType.headers, Flag.endHeaders | Flag.endStream, id, grpcHeaders(sentence)));
    } else if (text.length > room || text.length > exchanges.streamRoom) {
      // A caller that has no room for the sentence still gets the status.
      out.push(...frame(FrameType.headers, Flag.endHeaders | Flag.endStream, id, headers));
    } else {
      out.push(...frame(FrameType.headers, Flag.endHeaders, id, headers), ...frame(FrameType.data, Flag.endStream, id, [...text]));
      room -= text.length;
    }
  }
  out.push(...goAway(exchanges.lastStream, sentence));
  return new Uint8Array(out);
}

/** All that a gRPC client reads of an answer without messages (gRPC over HTTP2, "Trailers-Only"). */
function grpcHeaders(sentence: string): number[] {
  return [
    STATUS_200,
    ...literal(CONTENT_TYPE, "application/grpc"),
    ...named("grpc-status", GRPC_UNAVAILABLE),
    ...named("grpc-message", percentEncoded(sentence)),
  ];
}

function goAway(lastStream: number, sentence: string): number[] {
  return frame(FrameType.goAway, 0, 0, [...uint32(lastStream), ...uint32(NO_ERROR), ...encoder.encode(sentence)]);
}

function frame(type: number, flags: number, streamId: number, payload: readonly number[]): number[] {
  return [...uint32(payload.length).slice(1), type, flags, ...uint32(streamId), ...payload];
}

function uint32(value: number): number[] {
  return [value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

/** A header whose name is in the static table, which nobody is to remember (RFC 7541, 6.2.2). */
function literal(name: number, value: string): number[] {
  return [...integer(name, 4), ...string(value)];
}

/** A header with its name, which nobody is to remember. */
function named(name: string, value: string): number[] {
  return [0, ...string(name), ...string(value)];
}

function string(text: string): number[] {
  const bytes = encoder.encode(text);
  return [...integer(bytes.length, 7), ...bytes];
}

/** RFC 7541, 5.1. @param bits how many of the first byte are the number's; the others are 0 */
function integer(value: number, bits: number): number[] {
  const most = (1 << bits) - 1;
  if (value < most) return [value];
  const out = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push(rest % 128 + 128);
  out.push(rest);
  return out;
}

/** gRPC's own: all that is not printable ASCII, and `%`. */
function percentEncoded(text: string): string {
  return [...encoder.encode(text)]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0").toUpperCase()}`
    )
    .join("");
}
