import assert from "node:assert/strict";
import { readManifest } from "../../k8s/manifests/manifest_text.ts";
import { documentValue } from "../../k8s/manifests/manifest_values.ts";
import { joinManifests } from "./resolve_command.ts";

Deno.test("one manifest stays as it is", () => {
  for (const text of ["", "a: 1", "\ufeffa: 1\r\n", "%YAML 1.2\n---\na: 1\n...\n"]) assert.equal(joinManifests([text]), text);
});

Deno.test("several manifests are joined into one text with all documents", () => {
  const texts = [
    "a: 1",
    "---\nb: 2\n",
    "\ufeffc: 3\r\n",
    '{"d": 4}\n',
    "# comment\n%YAML 1.2\n---\ne: 5\n",
    "--- f\n",
    "# only this\n",
    "g: |\n  ---\n",
  ];
  const joined = joinManifests(texts);
  assert.equal(
    joined,
    "a: 1\n---\nb: 2\n---\nc: 3\r\n---\r\n" + '{"d": 4}\n...\n# comment\n%YAML 1.2\n---\ne: 5\n--- f\n---\n# only this\n---\ng: |\n  ---\n',
  );
  const { documents, problems } = readManifest(joined);
  assert.deepEqual(problems, []);
  assert.deepEqual(documents.map(({ document }) => documentValue(document)), [{ a: 1 }, { b: 2 }, { c: 3 }, { d: 4 }, { e: 5 }, "f", {
    g: "---\n",
  }]);
});
