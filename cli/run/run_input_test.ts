import assert from "node:assert/strict";
import { ResendBuffer, type RunEnd } from "../../tunnel/mod.ts";
import type { UserStdio } from "../command/context.ts";
import { RunInput } from "./run_input.ts";

/** A terminal that a test types into. */
class Typist {
  readonly input: RunInput;
  readonly screen = { raw: false };
  interrupts = 0;
  connected = true;
  #typed: ((bytes: Uint8Array | null) => void) | undefined;
  raw = false;

  constructor(options: { terminal: boolean }) {
    const stdio: Pick<UserStdio, "read" | "setRaw"> = {
      read: () => new Promise((resolve) => this.#typed = resolve),
      setRaw: (raw) => this.raw = raw,
    };
    this.input = new RunInput(stdio, this.screen, {
      stdin: true,
      ...options,
      connected: () => this.connected,
      interrupt: () => this.interrupts++,
    });
  }

  async type(text: string | null): Promise<void> {
    this.#typed?.(text === null ? null : new TextEncoder().encode(text));
    await settled();
  }
}

/** A run whose end and reading a test controls. */
class Taker {
  readonly input: ResendBuffer = new ResendBuffer(10);
  readonly end: PromiseWithResolvers<RunEnd> = Promise.withResolvers();
  readonly ended = () => this.end.promise;

  /** Its whole input, and "end" if the input ended. */
  async taken(): Promise<string> {
    let text = "";
    while (text.length < this.input.written) text += new TextDecoder().decode(await this.input.read(text.length) ?? undefined);
    const next = await Promise.race([this.input.read(this.input.written), settled()]);
    return next === null ? `${text}end` : text;
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("the terminal is in raw mode only while a program runs", async () => {
  const user = new Typist({ terminal: true });
  const [first, second] = [new Taker(), new Taker()];
  const modes: boolean[] = [];
  const look = async () => {
    await settled();
    assert.equal(user.raw, user.screen.raw);
    modes.push(user.raw);
  };
  await look();
  user.input.lend(first);
  await look();
  first.end.resolve({ code: 0 });
  await look();
  user.input.lend(second);
  await look();
  user.input.takeBack();
  await look();
  assert.deepEqual(modes, [false, true, false, true, false]);
});

Deno.test("the end of a replaced run does not change the terminal of the next one", async () => {
  const user = new Typist({ terminal: true });
  const first = new Taker();
  user.input.lend(first);
  user.input.lend(new Taker());
  first.end.resolve({ code: 143 });
  await settled();
  assert.equal(user.raw, true);
});

Deno.test("while the connection is lost, Ctrl+C interrupts and other keys wait", async () => {
  const user = new Typist({ terminal: true });
  const run = new Taker();
  user.input.lend(run);
  await user.type("a\x03");
  user.connected = false;
  await user.type("b\x03c\x03");
  assert.equal(user.interrupts, 2);
  assert.equal(await run.taken(), "a\x03bc");
});

Deno.test("without a terminal a program gets every byte unchanged", async () => {
  const user = new Typist({ terminal: false });
  const run = new Taker();
  user.input.lend(run);
  user.connected = false;
  await user.type("\x03");
  assert.deepEqual([await run.taken(), user.interrupts, user.raw], ["\x03", 0, false]);
});

Deno.test("input that one run did not read goes to the next, and every run after the end of input gets the end", async () => {
  const user = new Typist({ terminal: false });
  const [first, second, third] = [new Taker(), new Taker(), new Taker()];
  user.input.lend(first);
  await user.type("more than it takes");
  user.input.lend(second);
  await settled();
  await user.type("rest");
  await user.type(null);
  assert.equal(await second.taken(), "restend");
  user.input.lend(third);
  assert.equal(await third.taken(), "end");
});
