import type { Connection } from "../../../tunnel/mod.ts";
import { checkOpening, OpeningError, openingHeaders, openingKey } from "../../../tunnel/web_socket/opening.ts";
import { randomMaskingKey } from "../../../tunnel/web_socket/frame.ts";
import { ApiError, statusError } from "../../api/api_error.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import { type HttpConnection, HttpConnectionError } from "../../api/http1.ts";

const OPEN_MS = 10_000;
/** The most that is read of an answer that is not a WebSocket. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/** A request for a WebSocket. */
export interface WebSocketRequest {
  /** The server's `host:port`. */
  readonly host: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** The only subprotocol that is offered. */
  readonly protocol: string;
}

/**
 * Asks for a WebSocket.
 * @returns the connection, which carries frames from now on
 * @throws {ApiError} with the server's refusal; {ConnectionError} if there is no answer, and the connection is then closed
 */
export async function requestWebSocket(
  connection: HttpConnection,
  { host, target, headers, protocol }: WebSocketRequest,
  signal: AbortSignal,
): Promise<Connection> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(OPEN_MS)]);
  const abort = () => connection.destroy();
  limited.addEventListener("abort", abort);
  if (limited.aborted) abort();
  try {
    const key = openingKey();
    const { status, headers: answered, body } = await connection.send({
      method: "GET",
      target,
      headers: { Host: host, "User-Agent": "kurun", ...openingHeaders(key, protocol), ...headers },
    });
    if (status !== 101) throw statusError(status, await readShort(body));
    await checkOpening(answered, key, protocol);
    limited.throwIfAborted();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    connection.destroy();
    signal.throwIfAborted();
    if (!(error instanceof HttpConnectionError || error instanceof OpeningError || limited.aborted)) throw error;
    throw new ConnectionError("protocol", { address: host, detail: `no WebSocket was opened: ${(error as Error).message}`, cause: error });
  } finally {
    limited.removeEventListener("abort", abort);
  }
  return connection.takeOver();
}

/**
 * What makes the masking keys of a WebSocket to a server. Masks protect old plain-text proxies (RFC 6455, 10.3). Inside TLS they only cost
 * time: a mask of zeros triples the upload throughput.
 */
export function maskingKeys({ protocol }: Pick<URL, "protocol">): () => number {
  return protocol === "http:" ? randomMaskingKey : () => 0;
}

async function readShort(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_REFUSAL_BYTES) break;
  }
  return text;
}
