const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const SMALL_U = 0x75;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** From the code of `[` to that of `]`, and of `{` to that of `}`. */
const TO_CLOSER = 2;

/** No value lies deeper; the API server's own decoder takes 10,000 levels. */
const MAX_DEPTH = 10_000;
const LITERALS = ["true", "false", "null"].map((word) => new TextEncoder().encode(word));
/** What may stand behind a backslash, but `u`. */
const ESCAPES = new TextEncoder().encode('"\\/bfnrt');
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads JSON (RFC 8259) from its bytes, value by value, and makes nothing of what is passed over: a tree of `[{},{},…]` takes ten times the
 * memory of its text. All that is no JSON is an error, but bytes that are no UTF-8 within a string that is passed over.
 */
export class JsonScanner {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether the next value is an object. */
  get isObject(): boolean {
    return this.#next() === OPEN_BRACE;
  }

  /**
   * Reads the object that is next.
   * @param maxBytes of a key's text that is not passed over, as in {@link text}
   * @param member called with each key, in order, also where it comes twice; it must read or pass over the value
   * @throws SyntaxError
   */
  members(maxBytes: number, member: (key: string | undefined) => void): void {
    this.#expect(OPEN_BRACE);
    if (this.#next() !== CLOSE_BRACE) {
      do {
        const key = this.#string(maxBytes);
        this.#expect(COLON);
        member(key);
      } while (this.#comma());
    }
    this.#expect(CLOSE_BRACE);
  }

  /**
   * Reads the next value where it is a string.
   * @param maxBytes the most that it may take as JSON writes it, without its quotes
   * @returns nothing where it is anything else, or longer: then it is passed over
   * @throws SyntaxError
   */
  text(maxBytes: number): string | undefined {
    if (this.#next() === QUOTE) return this.#string(maxBytes);
    this.skip();
    return undefined;
  }

  /** Passes over the next value. @throws SyntaxError */
  skip(): void {
    const closers: number[] = [];
    do {
      const first = this.#next();
      if (first === OPEN_BRACE || first === OPEN_BRACKET) {
        if (closers.length === MAX_DEPTH) throw this.#wrong();
        this.#at++;
        closers.push(first + TO_CLOSER);
        if (this.#next() !== first + TO_CLOSER) {
          this.#key(closers);
          continue;
        }
      } else this.#scalar();
      while (closers.length > 0 && !this.#comma()) this.#expect(closers.pop());
      this.#key(closers);
    } while (closers.length > 0);
  }

  /** Nothing may follow. @throws SyntaxError */
  end(): void {
    if (this.#next() !== undefined) throw this.#wrong();
  }

  /** Before each value of an object stands its key. */
  #key(closers: readonly number[]): void {
    if (closers.at(-1) !== CLOSE_BRACE) return;
    this.#string();
    this.#expect(COLON);
  }

  #scalar(): void {
    const first = this.#next();
    if (first === QUOTE) this.#string();
    else if (first === MINUS || isDigit(first)) this.#number();
    else this.#literal();
  }

  /** @returns the string, where its text is not longer than `maxBytes` */
  #string(maxBytes = -1): string | undefined {
    this.#expect(QUOTE);
    const start = this.#at;
    const bytes = this.#bytes;
    let at = start;
    for (let byte = bytes[at]; byte !== QUOTE; byte = bytes[at]) {
      if (byte === undefined || byte < 0x20) throw this.#wrong();
      at += byte === BACKSLASH ? this.#escape(at + 1) : 1;
    }
    this.#at = at + 1;
    return at - start <= maxBytes ? JSON.parse(this.#decoded(start - 1, at + 1)) : undefined;
  }

  /** @returns how long the escape is, with its backslash */
  #escape(at: number): number {
    const letter = this.#bytes[at];
    if (letter !== undefined && ESCAPES.includes(letter)) return 2;
    if (letter !== SMALL_U) throw this.#wrong();
    for (let i = at + 1; i <= at + 4; i++) if (!isHexDigit(this.#bytes[i])) throw this.#wrong();
    return 6;
  }

  #number(): void {
    if (this.#bytes[this.#at] === MINUS) this.#at++;
    if (this.#bytes[this.#at] === 0x30) this.#at++;
    else this.#digits();
    if (this.#bytes[this.#at] === 0x2e) {
      this.#at++;
      this.#digits();
    }
    if (((this.#bytes[this.#at] ?? 0) | 0x20) !== 0x65) return;
    this.#at++;
    if (this.#bytes[this.#at] === 0x2b || this.#bytes[this.#at] === MINUS) this.#at++;
    this.#digits();
  }

  #digits(): void {
    if (!isDigit(this.#bytes[this.#at])) throw this.#wrong();
    while (isDigit(this.#bytes[this.#at])) this.#at++;
  }

  #literal(): void {
    const word = LITERALS.find((word) => word.every((byte, i) => this.#bytes[this.#at + i] === byte));
    if (!word) throw this.#wrong();
    this.#at += word.length;
  }

  #comma(): boolean {
    if (this.#next() !== COMMA) return false;
    this.#at++;
    return true;
  }

  #expect(byte: number | undefined): void {
    if (this.#next() !== byte) throw this.#wrong();
    this.#at++;
  }

  /** The next byte that is no white space; nothing at the end. */
  #next(): number | undefined {
    const bytes = this.#bytes;
    let byte = bytes[this.#at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++this.#at];
    return byte;
  }

  #decoded(start: number, end: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(start, end));
    } catch {
      throw this.#wrong();
    }
  }

  #wrong(): SyntaxError {
    return new SyntaxError(`no JSON at byte ${this.#at}`);
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}
