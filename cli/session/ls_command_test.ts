import assert from "node:assert/strict";
import { parse } from "yaml";
import type { FoundSession } from "../../k8s/session/owner/find_sessions.ts";
import { sessionListText, sessionStatus } from "./ls_command.ts";

const NOW = new Date("2026-01-01T00:10:00Z");
const CONNECTED: FoundSession = {
  namespace: "dev",
  owner: {
    name: "web-kurun-bcdfg",
    uid: "job-1",
    who: "ann",
    from: "laptop",
    since: "2026-01-01T00:06:00Z",
    until: "2026-01-01T00:11:30Z",
    seen: "2026-01-01T00:09:30Z",
    upstream: "http://localhost:8080",
    service: "web",
    ports: "80,443",
    plan: "",
    flags: "",
  },
  created: "2026-01-01T00:06:00Z",
  deleted: false,
  ending: false,
  presence: { is: "connected", since: "2026-01-01T00:06:03Z" },
};
const AWAY: FoundSession = {
  ...CONNECTED,
  namespace: "production",
  owner: { ...CONNECTED.owner, service: "a", who: "bob", ports: "", until: "2026-01-01T00:10:42Z" },
  presence: { is: "away", since: "2026-01-01T00:09:00Z" },
};
const LIST = { sessions: [CONNECTED, AWAY], now: NOW };

Deno.test("sessions are printed as a table, as in kubectl", () => {
  assert.equal(
    sessionListText(LIST, { format: undefined, namespaces: false }),
    "NAME   STATUS                 AGE   WHO   FROM\n" +
      "web    Connected              4m    ann   laptop\n" +
      "a      Away, removed in 42s   4m    bob   laptop\n",
  );
});

Deno.test("-A adds the namespace, and -o wide the upstream", () => {
  assert.equal(
    sessionListText(LIST, { format: "wide", namespaces: true }),
    "NAMESPACE    NAME   STATUS                 AGE   WHO   FROM     UPSTREAM                PORTS    SESSION           UNTIL                  SERVES\n" +
      "dev          web    Connected              4m    ann   laptop   http://localhost:8080   80,443   web-kurun-bcdfg   2026-01-01T00:11:30Z   <none>\n" +
      "production   a      Away, removed in 42s   4m    bob   laptop   http://localhost:8080   <none>   web-kurun-bcdfg   2026-01-01T00:10:42Z   <none>\n",
  );
});

Deno.test("the status of a session without a deadline, of one that is ending, and of one that cannot be asked", () => {
  const forever = { ...AWAY, owner: { ...AWAY.owner, until: undefined } };
  assert.equal(sessionStatus(forever, NOW), "Away");
  assert.equal(sessionStatus({ ...CONNECTED, ending: true }, NOW), "Ending");
  assert.equal(sessionStatus({ ...CONNECTED, presence: { is: "unknown", seen: "2026-01-01T00:09:48Z" } }, NOW), "Seen 12s ago");
});

Deno.test("-o name prints what kurun stop takes, and -o json and yaml print a List", () => {
  assert.equal(sessionListText(LIST, { format: "name", namespaces: false }), "session/web\nsession/a\n");
  const json = JSON.parse(sessionListText(LIST, { format: "json", namespaces: false }));
  assert.deepEqual(parse(sessionListText(LIST, { format: "yaml", namespaces: true })), json);
  assert.deepEqual(json.items[0], {
    apiVersion: "kurun.dev/v1",
    kind: "Session",
    metadata: { name: "web", namespace: "dev", uid: "job-1", creationTimestamp: "2026-01-01T00:06:00Z" },
    spec: {
      session: "web-kurun-bcdfg",
      service: "web",
      ports: [80, 443],
      upstream: "http://localhost:8080",
      who: "ann",
      from: "laptop",
    },
    status: {
      state: "Connected",
      text: "Connected",
      since: "2026-01-01T00:06:00Z",
      seen: "2026-01-01T00:09:30Z",
      until: "2026-01-01T00:11:30Z",
    },
  });
});

Deno.test("what a webhook session serves and its filter are shown, if there is such a session", () => {
  const only = { namespace: ["dev-*"], user: ["alice"] };
  const serves = "MutatingWebhookConfiguration/a,ValidatingWebhookConfiguration/b";
  const owner = { ...CONNECTED.owner, serves, filter: JSON.stringify({ only }) };
  const list = { sessions: [{ ...CONNECTED, owner }, AWAY], now: NOW };
  assert.equal(
    sessionListText(list, { format: undefined, namespaces: false }),
    "NAME   STATUS                 AGE   WHO   FROM     SERVES\n" +
      `web    Connected              4m    ann   laptop   ${serves} in dev-* by alice\n` +
      "a      Away, removed in 42s   4m    bob   laptop   <none>\n",
  );
  const { items } = JSON.parse(sessionListText(list, { format: "json", namespaces: false }));
  assert.deepEqual([items[0].spec.serves, items[0].spec.filter], [serves.split(","), { only }]);
  assert.equal("serves" in items[1].spec, false);
});

Deno.test("a filter that this version cannot read is shown as it is, without control characters", () => {
  const evil = { ...CONNECTED, owner: { ...CONNECTED.owner, serves: "", filter: '{"only":{"new":["\x1b[2J"]}}' } };
  const text = sessionListText({ sessions: [evil], now: NOW }, { format: undefined, namespaces: false });
  assert.ok(text.endsWith('   {"only":{"new":["\\x1b[2J"]}}\n'), text);
});

Deno.test("names chosen by another user cannot move the terminal's cursor", () => {
  const evil = { ...CONNECTED, owner: { ...CONNECTED.owner, who: "\x1b[2Jann\n" } };
  const text = sessionListText({ sessions: [evil], now: NOW }, { format: undefined, namespaces: false });
  assert.equal(text.split("\n")[1], "web    Connected   4m    \\x1b[2Jann    laptop");
});
