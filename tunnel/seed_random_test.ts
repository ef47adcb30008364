import assert from "node:assert/strict";

/** In a new process: milliseconds of the first HMAC key, which is made on the main thread and waits for the seed; half a second after `prepare`. */
async function firstKeyMs(prepare: string): Promise<number> {
  const module = JSON.stringify(new URL("seed_random.ts", import.meta.url).href);
  const script = `import { seedRandom } from ${module};
    ${prepare}
    await new Promise((resolve) => setTimeout(resolve, 500));
    const began = performance.now();
    await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    console.log(performance.now() - began);`;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", script], stderr: "inherit" }).output();
  return Number(new TextDecoder().decode(stdout));
}

Deno.test("seedRandom() returns before Deno's random numbers are seeded, and the first use of them does not wait", async () => {
  const unprepared = await firstKeyMs("void seedRandom;");
  const call = "const called = performance.now(); seedRandom(); if (performance.now() - called > 20) throw new Error('it waited');";
  const prepared = await firstKeyMs(call);
  // Elsewhere the seed may come from the operating system, at once.
  assert.ok(unprepared < 10 || prepared < unprepared / 2, `${prepared} ms instead of ${unprepared} ms`);
});
