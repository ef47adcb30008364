/**
 * Flow control of one direction of one stream, on its receiver's side. Pure: bytes and milliseconds in, credit out.
 *
 * The sender may have `available` bytes under way. Credit for consumed bytes (passed on to where the stream leads) is given once it amounts
 * to three eighths of the window: a window costs two small frames, and a reader that stops stops only its own stream.
 * A window that is used up within a few round trips is too small for its path: it doubles, as long as the session's budget allows. A window
 * of which less than that share is used within a second returns what it does not need to the budget, by giving less credit than was consumed.
 *
 * @module
 */
import { ProtocolError } from "./errors.ts";

/** A sender's credit at the start of each stream: 64 KiB, not hashicorp's 256, to save memory (1,024 stopped readers take 64 MiB). */
export const INITIAL_WINDOW = 64 * 1024;
/** No window grows beyond 8 MiB: 1.6 Gbit/s at a round trip of 40 ms. */
const MAX_WINDOW = 8 * 1024 * 1024;
/**
 * The share of a window for which credit is given. Half of 128 KiB is 32 bytes more than a full frame: the frame's credit waited for the next
 * one, and the sender for a round trip (a body of 50 MB, 20 ms each way: 165 instead of 335 Mbit/s).
 */
const CREDIT_SHARE = 3 / 8;
/** A window used up within this many round trips grows. With four, a busy laptop held 10 MB more of an upload that was no faster. */
const GROWTH_ROUND_TRIPS = 2;
/** Judged over this many windows in a row: a burst into an empty socket buffer says nothing about the path. */
const JUDGED_WINDOWS = 2;
/** A window of which less than {@link CREDIT_SHARE} is used in this time is too large for any path with a shorter round trip. */
const IDLE_MS = 1_000;
/** A session's windows grow only while all of them together stay under 32 MiB. */
const BUDGET_BYTES = 32 * 1024 * 1024;

/** Shared by all windows of a session: a limit for their sum, and the round trip's time. */
export class WindowBudget {
  /** The sum of all windows, in bytes. */
  granted = 0;
  #roundTripMs = Infinity;

  /** The shortest measured round trip, in milliseconds; 0 before the first. */
  get roundTripMs(): number {
    return this.#roundTripMs === Infinity ? 0 : this.#roundTripMs;
  }

  /** Notes a ping's time. The shortest counts: under load pings wait behind data, and windows sized by that would lengthen the queue. */
  measured(ms: number): void {
    this.#roundTripMs = Math.min(this.#roundTripMs, ms);
  }

  /** Takes `bytes` where the budget allows. @returns whether it did */
  tryTake(bytes: number): boolean {
    if (this.granted + bytes > BUDGET_BYTES) return false;
    this.granted += bytes;
    return true;
  }
}

/** The receiver's account of one stream's window. */
export class ReceiveWindow {
  /** How many bytes may be under way or wait to be consumed at once. */
  size: number;
  readonly #budget: WindowBudget;
  readonly #now: () => number;
  readonly #initial: number;
  #available: number;
  #consumed = 0;
  /** Since when consumed bytes have been gathering. */
  #gatheringSince: number;
  #judgedBytes = 0;
  #judgedSince: number;

  /**
   * @param budget the session's
   * @param now milliseconds of a clock that never goes back
   * @param initial the sender's initial credit, in bytes
   */
  constructor(budget: WindowBudget, now: () => number, initial: number = INITIAL_WINDOW) {
    this.#budget = budget;
    this.#now = now;
    this.#initial = initial;
    this.size = initial;
    this.#available = initial;
    this.#judgedSince = this.#gatheringSince = now();
    // It exists whatever the budget says.
    budget.granted += initial;
  }

  /** Counts bytes that the sender has announced. @throws ProtocolError where it had no credit for them */
  received(bytes: number): void {
    if (bytes > this.#available) {
      throw new ProtocolError(`A stream sent ${bytes} bytes with a credit of ${this.#available}`);
    }
    this.#available -= bytes;
  }

  /** Counts bytes that were consumed. @returns the credit to give now; 0 while it is less than three eighths of the window */
  consumed(bytes: number): number {
    this.#consumed += bytes;
    if (this.#consumed < this.size * CREDIT_SHARE) {
      if (this.size > this.#initial) this.#shrinkIfIdle();
      return 0;
    }
    const growth = this.#growth();
    const credit = this.#consumed + growth;
    this.size += growth;
    this.#available += credit;
    this.#consumed = 0;
    if (this.size > this.#initial) this.#gatheringSince = this.#now();
    return credit;
  }

  /** Returns the window to the budget; call nothing afterwards. */
  release(): void {
    this.#budget.granted -= this.size;
    this.size = 0;
  }

  /** Credit cannot be taken back once given; the window shrinks by giving less than was consumed. */
  #shrinkIfIdle(): void {
    const now = this.#now();
    if (now - this.#gatheringSince < IDLE_MS) return;
    this.#gatheringSince = now;
    const unneeded = Math.min(this.#consumed, this.size - this.#initial);
    this.#consumed -= unneeded;
    this.size -= unneeded;
    this.#budget.granted -= unneeded;
  }

  #growth(): number {
    this.#judgedBytes += this.#consumed;
    if (this.#judgedBytes < this.size * JUDGED_WINDOWS) return 0;
    const now = this.#now();
    const windowMs = (now - this.#judgedSince) / (this.#judgedBytes / this.size);
    this.#judgedBytes = 0;
    this.#judgedSince = now;
    if (windowMs > this.#budget.roundTripMs * GROWTH_ROUND_TRIPS) return 0;
    const growth = Math.min(this.size, MAX_WINDOW - this.size);
    return growth > 0 && this.#budget.tryTake(growth) ? growth : 0;
  }
}
