import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { configMap, deployment, Files, kurun, kurunReading } from "./apply_runs.ts";
import { clusterTest, kubectl, logOf, type TestNamespace } from "./kubernetes.ts";
import { kurunCommand, KurunProcess } from "./kurun_process.ts";

const PROGRAM = { "api/go.mod": "module example.com/api\n\ngo 1.24\n", "api/main.go": program("one") };

function program(says: string): string {
  return `package main

import (
\t"fmt"
\t"os"
\t"os/signal"
\t"syscall"
)

func main() {
\tfmt.Println("${says}")
\tstop := make(chan os.Signal, 1)
\tsignal.Notify(stop, syscall.SIGTERM)
\t<-stop
}
`;
}

async function image(namespace: TestNamespace, object: string, path: string): Promise<string> {
  return await kubectl(["get", object, "-n", namespace.name, "-o", `jsonpath={${path}}`]);
}

clusterTest("references in objects of any kind become images, also of init containers, and the program runs", async (namespace) => {
  const web = deployment("web", { image: "kurun://../api" });
  const cron = `apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, annotations: {of: "kurun://../api"}}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          initContainers: [{name: first, image: 'kurun://../api', args: [--image, kurun://../api]}]
          containers: [{name: main, image: kurun.test/none:1}]
`;
  await using files = await Files.of({ ...PROGRAM, "k8s/web.yaml": web, "k8s/cron.yaml": cron });
  const { code, stdout, stderr } = await kurun(namespace, "apply", "-f", files.path("k8s"), "--wait");
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "cronjob.batch/nightly serverside-applied\ndeployment.apps/web serverside-applied\n");
  assert.equal(stderr.match(/^Built /gm)?.length ?? 0, 1, stderr);
  const built = await image(namespace, "deploy/web", ".spec.template.spec.containers[0].image");
  assert.match(built, /@sha256:[0-9a-f]{64}$/);
  const pod = ".spec.jobTemplate.spec.template.spec.initContainers[0]";
  for (const path of [`${pod}.image`, `${pod}.args[1]`, ".metadata.annotations.of"]) {
    assert.equal(await image(namespace, "cronjob/nightly", path), built);
  }
  await logOf(namespace, "deploy/web", /^one\n$/);
  const again = await kurun(namespace, "apply", "-f", files.path("k8s"));
  assert.equal(again.code, 0);
  assert.doesNotMatch(again.stderr, /^(Built|Loading) /m);
});

clusterTest("--watch applies only what changed (a manifest, a source, a new file), and continues after an error", async (namespace) => {
  await using files = await Files.of({
    ...PROGRAM,
    "k8s/web.yaml": deployment("web", { image: "kurun://../api" }),
    "k8s/c.yaml": configMap("c", { a: "1" }),
  });
  await using watch = KurunProcess.start(["apply", "-f", files.path("k8s"), "--watch", "-n", namespace.name]);
  const next = async (change: () => Promise<void>, lines: string) => {
    const [out, err] = [watch.stdout.length, watch.stderr.length];
    await change();
    // Two pipes: what was written to the other one before may arrive later.
    const told = () => watch.stderr.slice(err).includes("Waiting for a change") && watch.stdout.length >= out + lines.length;
    for (let tries = 0; !told(); tries++) {
      assert.ok(tries < 300, watch.stderr.slice(err));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(watch.stdout.slice(out), lines, watch.stderr.slice(err));
    return watch.stderr.slice(err);
  };
  await next(() => Promise.resolve(), "configmap/c serverside-applied\ndeployment.apps/web serverside-applied\n");
  await next(() => files.write("k8s/c.yaml", configMap("c", { a: "2" })), "configmap/c serverside-applied\n");
  await next(() => files.write("api/main.go", program("two")), "deployment.apps/web serverside-applied\n");
  assert.match(await next(() => files.write("k8s/new.yaml", "a: [1\nb: 2\n"), ""), /new\.yaml:2:1: /);
  assert.match(await next(() => files.write("api/main.go", "package main\n\nfunc main() { nothing }\n"), ""), /new\.yaml:2:1: /);
  await next(() => files.write("api/main.go", program("three")), "");
  await next(
    () => files.write("k8s/new.yaml", configMap("new")),
    "configmap/new serverside-applied\ndeployment.apps/web serverside-applied\n",
  );
  watch.signal("SIGINT");
  assert.equal(await watch.exit, 0);
});

clusterTest("--watch waits for a change if the first build fails", async (namespace) => {
  await using files = await Files.of({ ...PROGRAM, "k8s/web.yaml": deployment("web", { replicas: 0, image: "kurun://../api" }) });
  await files.write("api/main.go", "package main\n\nfunc main() { nothing }\n");
  await using watch = KurunProcess.start(["apply", "-f", files.path("k8s"), "--watch", "-n", namespace.name]);
  await watch.waitFor(/undefined: nothing[^]*Waiting for a change/);
  await files.write("api/main.go", program("mended"));
  await watch.waitFor(/deployment\.apps\/web serverside-applied/);
  watch.signal("SIGINT");
  await watch.exit;
});

clusterTest(
  "a source in a folder with a space is built, a changed Job is reported with what to do, and Always is refused",
  async (namespace) => {
    const job = deployment("j", { image: "kurun://./größe ☃" }).replace("apps/v1", "batch/v1").replace("kind: Deployment", "kind: Job")
      .replace("  selector: {matchLabels: {app: j}}\n", "  completions: 0\n").replace(
        "    spec:\n",
        "    spec:\n      restartPolicy: Never\n",
      );
    await using files = await Files.of({ "größe ☃/go.mod": PROGRAM["api/go.mod"], "größe ☃/main.go": program("one"), "job.yaml": job });
    const first = await kurun(namespace, "apply", "-f", files.path("job.yaml"));
    assert.deepEqual([first.code, first.stdout], [0, "job.batch/j serverside-applied\n"], first.stderr);
    assert.match(await image(namespace, "job/j", ".spec.template.spec.containers[0].image"), /@sha256:/);
    await files.write("größe ☃/main.go", program("two"));
    const told = `job.yaml:6:3: job.batch/j: spec.template: field is immutable\n` +
      `  Delete the object and apply again: kubectl delete job.batch/j -n ${namespace.name}\n  Or give it another metadata.name\n`;
    for (const more of [[], ["--diff"]]) {
      const { code, stderr } = await kurun(namespace, "apply", "-f", files.path("job.yaml"), ...more);
      assert.notEqual(code, 0);
      assert.ok(stderr.includes(told), stderr);
    }
    await files.write("job.yaml", job.replace("        image:", "        imagePullPolicy: Always\n        image:"));
    const always = await kurun(namespace, "apply", "-f", files.path("job.yaml"));
    assert.equal(always.code, 2);
    assert.match(always.stderr, /job\.yaml:\d+:26: imagePullPolicy: Always: the image goes to the nodes themselves/);
  },
);

clusterTest("with --watch --wait a change ends the wait for a rollout, and -R also watches new folders", async (namespace) => {
  await using files = await Files.of({ "k8s/web.yaml": deployment("web", { replicas: 1 }) });
  await using watch = KurunProcess.start(["apply", "-f", files.path("k8s"), "-R", "--watch", "--wait", "-n", namespace.name]);
  await watch.waitFor(/Waiting for deployment\.apps\/web: /);
  await files.write("k8s/web.yaml", deployment("web", { replicas: 0 }));
  await watch.waitFor(/web is ready\nWaiting for a change/);
  await files.write("k8s/new/c.yaml", configMap("c"));
  await watch.waitFor(/configmap\/c serverside-applied/);
  watch.signal("SIGINT");
  assert.equal(await watch.exit, 0);
});

clusterTest("all build failures are reported with their places, and nothing is applied", async (namespace) => {
  const web = deployment("web", { image: "kurun://./empty" });
  await using files = await Files.of({
    "a.yaml": `${configMap("c")}---\n${web}`,
    "empty/README": "",
    "bad/go.mod": "module bad\n",
    "bad/main.go": "package main\n\nfunc main() { x }\n",
  });
  await files.write("b.yaml", deployment("bad", { image: "kurun://bad" }));
  const { code, stdout, stderr } = await kurun(namespace, "apply", "-f", files.folder);
  assert.notEqual(code, 0);
  assert.equal(stdout, "");
  assert.match(stderr, /a\.yaml:17:16: Deployment web, spec\.template\.spec\.containers\[0\]\.image: .*empty/);
  assert.match(stderr, /b\.yaml:13:16: Deployment bad, spec\.template\.spec\.containers\[0\]\.image: go build/);
  assert.match(stderr, /undefined: x/);
  assert.equal(await kubectl(["get", "cm,deploy", "-n", namespace.name, "-o", "name"]), "configmap/kube-root-ca.crt\n");
});

/** Manifests that are hard to keep byte for byte. */
const HARD: Readonly<Record<string, string>> = {
  helm:
    "---\n# Source: shop/templates/web.yaml\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  labels:\n    a:    b   # c\n\n\n---\n# Source: shop/templates/none.yaml\n---\n",
  anchors: "a: &a {x: 1}\nb: *a\nc:\n  <<: *a\n  y: !!str 2\n",
  strings: "a: |\n  ---\n  kurun://./x\nb: >+\n\n  kurun://./x\n\n\nc: \"a\\\n  b\"\nd: 'it''s'\n",
  crlf: "a: 1\r\nb: |\r\n  x\r\n---\r\nc: 2\r\n",
  mark: "\ufeffa: 1\n",
  duplicates: "a: 1\na: 2\n",
  json: '{\n\t"a": "\\u0041\\/"\n}',
  endings: "a: 1\n...\n---\nb: 2",
  empty: "",
};

clusterTest("resolve prints manifests without references byte for byte", async () => {
  await using files = await Files.of(Object.fromEntries(Object.entries(HARD).map(([name, text]) => [`${name}.yaml`, text])));
  for (const [name, text] of Object.entries(HARD)) {
    const [program, ...before] = kurunCommand();
    const { code, stdout } = await new Deno.Command(program!, { args: [...before, "resolve", "-f", files.path(`${name}.yaml`)] }).output();
    assert.equal(code, 0, name);
    assert.equal(createHash("sha256").update(stdout).digest("hex"), createHash("sha256").update(text).digest("hex"), name);
  }
});

clusterTest("resolve changes only references; those of standard input are relative to the current folder", async () => {
  await using files = await Files.of(PROGRAM);
  const text = "a: &x  'kurun://./api'  # kept\r\nb: *x\r\nkurun://./api: |\r\n  kurun://./api no\r\n";
  const { code, stdout, stderr } = await kurunReading(text, ["resolve", "-f", "-"], files.folder);
  assert.equal(code, 0, stderr);
  const [, image = ""] = /'(.*)'/.exec(stdout) ?? [];
  assert.match(image, /@sha256:[0-9a-f]{64}$/);
  assert.equal(stdout, text.replace("kurun://./api", image));
});
