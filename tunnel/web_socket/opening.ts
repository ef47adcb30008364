/**
 * The opening handshake of a WebSocket (RFC 6455, section 4): the headers of an HTTP/1.1 request and of its answer.
 *
 * @module
 */

/** The values of each header, by its name in lower case. */
export type Headers = ReadonlyMap<string, readonly string[]>;

/** The other side does not open a WebSocket as RFC 6455 says. */
export class OpeningError extends Error {
  override readonly name = "OpeningError";
}

/** Appended to a key before it is hashed (RFC 6455, 1.3). */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Makes a client's key, which the answer proves to have read. */
export function openingKey(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
}

/** The headers of a client's request. @param protocol the one subprotocol that is offered */
export function openingHeaders(key: string, protocol: string): Record<string, string> {
  return {
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": key,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": protocol,
  };
}

/** Checks the headers of an answer of status 101 (RFC 6455, 4.1). @throws OpeningError that says what is wrong */
export async function checkOpening(headers: Headers, key: string, protocol: string): Promise<void> {
  if (value(headers, "upgrade").toLowerCase() !== "websocket") throw new OpeningError("the answer does not upgrade to a WebSocket");
  if (!hasToken(headers, "connection", "upgrade")) throw new OpeningError("the answer's connection is not upgraded");
  if (value(headers, "sec-websocket-accept") !== await acceptValue(key)) throw new OpeningError("the answer does not belong to our key");
  if (value(headers, "sec-websocket-protocol") !== protocol) throw new OpeningError(`the other side does not speak ${protocol}`);
  if (headers.has("sec-websocket-extensions")) throw new OpeningError("the answer names an extension that was not offered");
}

/** Answers a client's request (RFC 6455, 4.2). @returns the answer's head as it is sent @throws OpeningError where it asks for no WebSocket */
export async function answerOpening(method: string, headers: Headers, protocol: string): Promise<Uint8Array> {
  const key = value(headers, "sec-websocket-key");
  if (method !== "GET") throw new OpeningError("a WebSocket is opened by GET");
  if (value(headers, "upgrade").toLowerCase() !== "websocket" || !hasToken(headers, "connection", "upgrade")) {
    throw new OpeningError("no WebSocket is asked for");
  }
  if (value(headers, "sec-websocket-version") !== "13") throw new OpeningError("only version 13 of the WebSocket protocol is spoken");
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) throw new OpeningError("the key is not 16 bytes in base64");
  const offers = headers.has("sec-websocket-protocol");
  if (offers && !hasToken(headers, "sec-websocket-protocol", protocol)) throw new OpeningError(`only ${protocol} is spoken`);
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${await acceptValue(key)}`,
    ...(offers ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
  ];
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
}

async function acceptValue(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + ACCEPT_SUFFIX));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}

function value(headers: Headers, name: string): string {
  return (headers.get(name) ?? []).join(",");
}

function hasToken(headers: Headers, name: string, token: string): boolean {
  return value(headers, name).toLowerCase().split(",").some((part) => part.trim() === token);
}
