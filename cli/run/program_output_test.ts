import assert from "node:assert/strict";
import { ProgramOutput } from "./program_output.ts";

/** An output whose writes throw an error, and the lines that were printed about it. */
function outputThatThrows(error: Error): { output: ProgramOutput; said: string[] } {
  const said: string[] = [];
  const write = () => Promise.reject(error);
  return { output: new ProgramOutput({ write }, { clear: () => {}, say: (line) => said.push(line) }), said };
}

Deno.test("output that cannot be written is lost, and the user reads which and why", async () => {
  for (
    const message of [
      "No space left on device (os error 28)",
      "Input/output error (os error 5)",
      "There is not enough space on the disk. (os error 112)",
    ]
  ) {
    for (const name of ["stdout", "stderr"] as const) {
      const { output, said } = outputThatThrows(new Error(message));
      await assert.rejects(output.write(name, new Uint8Array(1)));
      assert.equal(output.lost, true);
      assert.deepEqual(said, [`error: the program's ${name} could not be written: ${message}. The rest of it is lost.`]);
    }
  }
});

Deno.test("after the reader closed its end, nothing is lost and nothing is printed", async () => {
  for (const error of [new Deno.errors.BrokenPipe("Broken pipe (os error 32)"), new Deno.errors.ConnectionReset("reset")]) {
    const { output, said } = outputThatThrows(error);
    await assert.rejects(output.write("stdout", new Uint8Array(1)), error);
    assert.deepEqual([output.lost, said], [false, []]);
  }
});

Deno.test("the last few kilobytes of the output are kept", async () => {
  const output = new ProgramOutput({ write: () => Promise.resolve() }, { clear: () => {}, say: () => {} });
  const text = (value: string) => new TextEncoder().encode(value);
  for (let i = 0; i < 10_000; i++) await output.write("stdout", text(`line ${i}\n`));
  await output.write("stderr", text("last words"));
  assert.ok(output.tail.endsWith("line 9999\nlast words"));
  assert.ok(output.tail.length >= 8 * 1024 && output.tail.length < 17 * 1024, `${output.tail.length}`);
  for (const byte of text("\nopen dätä.txt: no such file")) await output.write("stderr", Uint8Array.of(byte));
  assert.ok(output.tail.endsWith("last words\nopen dätä.txt: no such file"), output.tail.slice(-100));
  await output.write("stdout", new Uint8Array(1_000_000));
  assert.ok(output.tail.length < 17 * 1024);
});
