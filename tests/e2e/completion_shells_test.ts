/**
 * What Tab offers in the real shells. zsh and fish come with the packages of the test cluster. PowerShell is in no registry of packages that
 * the tests use; its tests run where pwsh is installed, and count as ignored elsewhere.
 *
 * @module
 */
import assert from "node:assert/strict";
import { kurunCommand } from "./kurun_process.ts";

const CONTEXTS = ["kind-dev", "kind-prod", "arn:aws:eks:eu-west-1:1:cluster/web"];
/** kurun answers within half a second or not at all. On a busy machine Tab is pressed again, as a user would. */
const TABS = 10;

interface Place extends AsyncDisposable {
  readonly path: string;
  readonly kubeconfig: string;
}

/** A folder with `kurun` and a kubeconfig. */
async function newPlace(server = "https://127.0.0.1:9"): Promise<Place> {
  const path = await Deno.makeTempDir({ prefix: "kurun-completion-" });
  const command = kurunCommand().map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${path}/kurun`, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  const kubeconfig = `${path}/config`;
  const clusters = [{ name: "nowhere", cluster: { server } }];
  const contexts = CONTEXTS.map((name) => ({ name, context: { cluster: "nowhere" } }));
  await Deno.writeTextFile(kubeconfig, JSON.stringify({ "current-context": "kind-dev", contexts, clusters }));
  await Deno.writeTextFile(`${path}/.zshrc`, ZSHRC);
  return { path, kubeconfig, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function run(program: string, args: string[], { path, kubeconfig }: Place, env: Record<string, string> = {}): Promise<string> {
  const variables = { PATH: `${path}:${Deno.env.get("PATH")}`, KUBECONFIG: kubeconfig, TERM: "dumb", ZDOTDIR: path, ...env };
  const { stdout, stderr } = await new Deno.Command(program, { args, env: variables, stdin: "null", stdout: "piped", stderr: "piped" })
    .output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout);
}

/** An interactive zsh prints each candidate as `<candidate>` in place of completing the line, and ends. */
const ZSHRC = `
PROMPT=
autoload -Uz compinit && compinit -u -D
source <(kurun completion zsh)
compadd() {
  if [[ " \${(j: :)@[1,(i)--]} " == *" -"[OAD]" "* ]]; then builtin compadd "$@"; return; fi
  local -a found
  builtin compadd -O found "$@"
  (( \${#found} )) && print -rl -- "<\${(@)^found}>"
}
finish() { print -r -- DONE; exit }
comppostfuncs=(finish)
bindkey '^I' complete-word
print -r -- READY
`;
/** Types a line and Tab into that zsh, on a terminal. */
const ZSH_DRIVER = `
zmodload zsh/zpty
zpty kurun "zsh -i"
local line
while zpty -r kurun line; do [[ $line == *READY* ]] && break; done
zpty -w -n kurun "$1"$'\\t'
while zpty -r kurun line; do print -r -- "$line"; [[ $line == *DONE* ]] && break; done
`;

/** The candidates at the end of a line, one a line. */
const SHELLS: Readonly<Record<string, (line: string, place: Place, env?: Record<string, string>) => Promise<string>>> = {
  bash: (line, place, env) => {
    const script = `source <(kurun completion bash); COMP_LINE=$1 COMP_POINT=\${#1}; _kurun; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run("bash", ["--norc", "-c", script, "bash", line], place, env);
  },
  zsh: async (line, place, env) => {
    const said = await run("zsh", ["-f", "-c", ZSH_DRIVER, "zsh", line], place, env);
    return [...said.matchAll(/<([^<>\r\n]+)>/g)].map(([, word]) => word).join("\n");
  },
  fish: (line, place, env) => {
    const script = `kurun completion fish | source; complete -C $argv[1] | string replace -r '\\t.*' ''`;
    return run("fish", ["--no-config", "-c", script, line], place, env);
  },
  pwsh: (line, place, env) => {
    const script = "kurun completion powershell | Out-String | Invoke-Expression; " +
      "(TabExpansion2 $env:LINE $env:LINE.Length).CompletionMatches | ForEach-Object CompletionText";
    return run("pwsh", ["-NoProfile", "-NonInteractive", "-Command", script], place, { LINE: line, ...env });
  },
};

function isThere(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

for (const [shell, offer] of Object.entries(SHELLS)) {
  const offered = async (line: string, tabs = TABS) => {
    await using place = await newPlace();
    for (let tab = 0; tab < tabs; tab++) {
      const words = (await offer(line.replace("FOLDER", place.path), place)).split("\n").filter((word) => word !== "").sort();
      if (words.length > 0) return words;
    }
    return [];
  };
  const shellTest = (name: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${shell} completes ${name}`, ignore: !isThere(shell), fn });

  shellTest("commands", async () => {
    assert.deepEqual(await offered("kurun po"), ["port-forward"]);
    const all = await offered("kurun ");
    for (const name of ["apply", "build", "ls", "run", "stop"]) assert.ok(all.includes(name), `${name}: ${all}`);
  });
  shellTest("a kurun that is called by its path", async () => {
    await using home = await newPlace();
    // kurun itself keeps the real home, which has Deno's cache.
    const program = await Deno.readTextFile(`${home.path}/kurun`);
    await Deno.writeTextFile(`${home.path}/kurun`, program.replace("exec", `export HOME='${Deno.env.get("HOME")}'; exec`));
    const words = await SHELLS[shell]!("~/kurun po", home, { HOME: home.path });
    assert.equal(words.trim(), "port-forward");
  });
  shellTest("flags, but only those of the command", async () => {
    assert.deepEqual(await offered("kurun port-forward 8080 --servicen"), ["--servicename"]);
    assert.deepEqual(await offered("kurun ls --names"), ["--namespace"]);
    assert.deepEqual(await offered("kurun ls --servicen", 1), []);
  });
  shellTest("the values of a flag or an argument", async () => {
    assert.deepEqual(await offered("kurun port-forward --output "), ["json", "yaml"]);
    assert.deepEqual(await offered("kurun completion z"), ["zsh"]);
  });
  shellTest("the names of files", async () => {
    for (const line of ["kurun apply -f FOLDER/con", "kurun build FOLDER/con", "kurun ls --kubeconfig=FOLDER/con"]) {
      const [file, ...more] = await offered(line);
      // zsh offers the part after the last slash, and some shells keep what precedes the =.
      assert.match(file ?? "", /(?:^|[=/])config$/, line);
      assert.deepEqual(more, []);
    }
  });
  shellTest("the kubeconfig's contexts, also after =", async () => {
    assert.deepEqual(await offered("kurun port-forward --context kind-"), ["kind-dev", "kind-prod"]);
    const [joined] = await offered("kurun port-forward --context=kind-p");
    assert.match(joined ?? "", /^(?:--context=)?kind-prod$/);
  });
  shellTest("names with colons", async () => {
    const name = CONTEXTS[2] as string;
    // bash replaces only what follows the last colon.
    const expected = shell === "bash" ? name.replace("arn:aws:", "") : name;
    assert.deepEqual(await offered("kurun port-forward --context arn:aws:e"), [expected]);
  });
}

Deno.test("a cluster that does not answer is given up after half a second, silently", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using place = await newPlace(`https://127.0.0.1:${(silent.addr as Deno.NetAddr).port}`);
  const started = performance.now();
  assert.equal(await run(`${place.path}/kurun`, ["__complete", "=", "port-forward", "-n"], place), "");
  const took = performance.now() - started;
  assert.ok(took >= 300 && took < 2_500, `${took} ms`);
});

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test({
    name: `${shell} parses its script without a complaint`,
    ignore: !isThere(shell),
    fn: async () => {
      await using place = await newPlace();
      const script = await run(`${place.path}/kurun`, ["completion", shell], place);
      await Deno.writeTextFile(`${place.path}/script`, script);
      assert.equal(await run(shell, ["-n", `${place.path}/script`], place), "");
    },
  });
}
