const WINDOW_MS = 10_000;
const LINES = 20;

/**
 * Limits a log to 20 lines in ten seconds, for what strangers can cause as often as they like, such as failed handshakes. The rest are
 * counted, and the count goes before the next line.
 * @param now milliseconds of a clock that never goes back
 * @returns logs a line, and tells whether it did
 */
export function sparingly(log: (line: string) => void, now: () => number = () => performance.now()): (line: string) => boolean {
  let since = -Infinity;
  let lines = 0;
  return (line) => {
    if (now() - since >= WINDOW_MS) {
      if (lines > LINES) log(`${lines - LINES} more lines like these were left out`);
      since = now();
      lines = 0;
    }
    const within = ++lines <= LINES;
    if (within) log(line);
    return within;
  };
}
