/**
 * The part of ASN.1's DER (X.690) that X.509 certificates need.
 *
 * `@peculiar/x509` does this and much more, but with 18 packages, a globally patched `Reflect` and 60 ms of start-up time.
 *
 * @module
 */

/** Encodes one element: its tag, its length, and the parts of its content in order. */
export function element(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  const head = [tag];
  if (length < 0x80) {
    head.push(length);
  } else {
    const bytes: number[] = [];
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
    head.push(0x80 | bytes.length, ...bytes);
  }
  const out = new Uint8Array(head.length + length);
  out.set(head);
  let at = head.length;
  for (const part of content) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Encodes a SEQUENCE of encoded elements. */
export function sequence(...content: readonly Uint8Array[]): Uint8Array {
  return element(0x30, ...content);
}

/** Encodes a SET of one encoded element. DER requires several to be sorted. */
export function set(content: Uint8Array): Uint8Array {
  return element(0x31, content);
}

/** Encodes a non-negative INTEGER from its bytes, most significant first. */
export function integer(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const minimal = bytes.subarray(start);
  // A leading 1 bit would mean a negative number.
  return (minimal[0] ?? 0) >= 0x80
    ? element(0x02, Uint8Array.of(0), minimal)
    : element(0x02, minimal.length === 0 ? Uint8Array.of(0) : minimal);
}

/** Encodes a BOOLEAN that is true. False is always a default here, and DER omits defaults. */
export function yes(): Uint8Array {
  return element(0x01, Uint8Array.of(0xff));
}

/** Encodes an OBJECT IDENTIFIER from its dotted text. */
export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
    bytes.push(...digits);
  }
  return element(0x06, Uint8Array.from(bytes));
}

/** Encodes a BIT STRING. @param unused how many low bits of the last byte do not count */
export function bitString(bytes: Uint8Array, unused = 0): Uint8Array {
  return element(0x03, Uint8Array.of(unused), bytes);
}

/** Encodes an OCTET STRING. */
export function octetString(bytes: Uint8Array): Uint8Array {
  return element(0x04, bytes);
}

/** Encodes a UTF8String. */
export function utf8String(text: string): Uint8Array {
  return element(0x0c, new TextEncoder().encode(text));
}

/** Encodes a time in whole seconds by RFC 5280 section 4.1.2.5: UTCTime before 2050, GeneralizedTime from then on. */
export function time(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/\.\d+Z$/, "Z").replace(/[-:T]/g, "");
  const short = date.getUTCFullYear() < 2050;
  return element(short ? 0x17 : 0x18, new TextEncoder().encode(short ? digits.slice(2) : digits));
}

/** Encodes an element with a context-specific tag. @param constructed whether it contains other elements */
export function tagged(number: number, constructed: boolean, content: Uint8Array): Uint8Array {
  return element(0x80 | (constructed ? 0x20 : 0) | number, content);
}
