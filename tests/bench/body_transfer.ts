import { BODY_BYTES } from "./nginx.ts";

/** Where nginx is reached, directly or through kurun. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
}

const MAX_HEAD_BYTES = 4096;
const PIECE = new Uint8Array(256 * 1024);

/**
 * Downloads nginx's 50 MB over a new connection and measures from connecting to the last byte. It speaks HTTP over raw TCP, because
 * HTTP clients took as long as the tunnel itself.
 *
 * @returns bytes per second
 * @throws if anything but 50 MB arrived
 */
export async function down(place: Place): Promise<number> {
  const started = performance.now();
  using connection = await Deno.connect(place);
  await writeAll(connection, new TextEncoder().encode("GET /big HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"));
  const { head, rest } = await readAnswer(connection);
  if (rest !== BODY_BYTES) throw new Error(`${rest} bytes of ${BODY_BYTES} came: ${head}`);
  return BODY_BYTES / (performance.now() - started) * 1000;
}

/**
 * Uploads 50 MB to nginx in the same way, and measures until its answer, which nginx sends once it has everything.
 *
 * @returns bytes per second
 * @throws if nginx did not receive everything
 */
export async function up(place: Place): Promise<number> {
  const started = performance.now();
  using connection = await Deno.connect(place);
  const head = `POST /up HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`;
  await writeAll(connection, new TextEncoder().encode(head));
  for (let sent = 0; sent < BODY_BYTES; sent += PIECE.length) await writeAll(connection, PIECE.subarray(0, BODY_BYTES - sent));
  const answer = await readAnswer(connection);
  const got = Number(/^X-Got: (\d+)/im.exec(answer.head)?.[1]);
  // With the head, which other tunnels write anew.
  if (!(got > BODY_BYTES && got < BODY_BYTES + MAX_HEAD_BYTES)) throw new Error(`nginx got ${got} bytes of ${BODY_BYTES}: ${answer.head}`);
  return BODY_BYTES / (performance.now() - started) * 1000;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Reads an answer to the end of the connection. @returns its head, and the number of bytes after it @throws if the status is not 200 */
async function readAnswer(connection: Deno.Conn): Promise<{ head: string; rest: number }> {
  const buffer = new Uint8Array(PIECE.length);
  let head = "";
  let end = -1;
  while (end < 0) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error(`the connection ended within the head: ${head}`);
    head += new TextDecoder("latin1").decode(buffer.subarray(0, count));
    end = head.indexOf("\r\n\r\n");
  }
  let rest = head.length - end - 4;
  head = head.slice(0, end);
  if (!head.startsWith("HTTP/1.1 200")) throw new Error(head);
  for (let count; (count = await connection.read(buffer)) !== null;) rest += count;
  return { head, rest };
}
