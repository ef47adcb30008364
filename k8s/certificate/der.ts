/** The part of ASN.1's DER (X.690) that certificates need. Pure. */

import { Buffer } from "node:buffer";

/** Tags of elements (X.690) and, from `version` on, of those of a certificate (RFC 5280). */
export const Tag = {
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
  keyIdentifier: 0x80,
  dnsName: 0x82,
  address: 0x87,
} as const;

/** One element: its tag, its length, and the parts of its content in order. */
export function element(tag: number, ...content: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  const head = length < 0x80 ? [tag, length] : [tag, 0x80 | bytes.length, ...bytes];
  return Uint8Array.from(Buffer.concat([Uint8Array.from(head), ...content]));
}

/** The BOOLEAN true. False is always a default here, and DER omits defaults. */
export const TRUE: Uint8Array = element(0x01, Uint8Array.of(0xff));

/** A SEQUENCE. */
export function sequence(...content: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return element(0x30, ...content);
}

/** A BIT STRING. @param unused how many low bits of the last byte do not count */
export function bitString(bytes: Uint8Array, unused = 0): Uint8Array {
  return element(0x03, Uint8Array.of(unused), bytes);
}

/** A non-negative INTEGER from its bytes, most significant first. */
export function integer(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte, at) => byte !== 0 || at === bytes.length - 1);
  // A leading 1 bit would mean a negative number.
  return element(0x02, Uint8Array.of(...(bytes[start]! >= 0x80 ? [0] : []), ...bytes.subarray(start)));
}

/** An OBJECT IDENTIFIER from its dotted text. */
export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
    return digits;
  });
  return element(Tag.objectIdentifier, Uint8Array.from(bytes));
}

/** A time in whole seconds by RFC 5280 section 4.1.2.5: UTCTime before 2050, GeneralizedTime from then on. */
export function time(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/\.\d+Z$/, "Z").replace(/[-:T]/g, "");
  const short = date.getUTCFullYear() < 2050;
  return element(short ? 0x17 : 0x18, new TextEncoder().encode(short ? digits.slice(2) : digits));
}

/** The elements that follow one another. @throws {TypeError} if the last one is incomplete */
export function elements(bytes: Uint8Array = new Uint8Array()): { tag: number; content: Uint8Array }[] {
  const found: { tag: number; content: Uint8Array }[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at++] as number;
    let length = bytes[at++] ?? NaN;
    if (length >= 0x80) {
      const size = length & 0x7f;
      length = 0;
      for (let i = 0; i < size; i++) length = length * 256 + (bytes[at++] ?? NaN);
    }
    if (!(at + length <= bytes.length)) throw new TypeError("it is truncated");
    found.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}
