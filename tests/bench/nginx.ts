/** nginx with one worker: 22 bytes at /, and 50 MB at /big. */
export class Nginx implements AsyncDisposable {
  private constructor(readonly child: Deno.ChildProcess, readonly folder: string, readonly port: number) {}

  static async start(): Promise<Nginx> {
    const folder = await Deno.makeTempDir({ prefix: "kurun-bench-" });
    await Deno.chmod(folder, 0o755);
    await Deno.writeFile(`${folder}/big`, new Uint8Array(50_000_000));
    const port = 18080;
    await Deno.writeTextFile(
      `${folder}/nginx.conf`,
      `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; keepalive_requests 100000000; default_type text/plain;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 127.0.0.1:${port}; root ${folder}; location = / { return 200 "hello, hello, hello ok"; } }
}
`,
    );
    const child = new Deno.Command("nginx", { args: ["-c", `${folder}/nginx.conf`], stdin: "null", stdout: "null", stderr: "null" })
      .spawn();
    while (!await Deno.connect({ port }).then((connection) => (connection.close(), true), () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new Nginx(child, folder, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGTERM");
    await this.child.status;
    await Deno.remove(this.folder, { recursive: true });
  }
}
