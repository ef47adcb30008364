import type { CertificatePair } from "../../k8s/certificate/certificate.ts";
import { freePort, ProgramHere } from "./program_here.ts";

/** The size of /big, and of a body for /up, in bytes. */
export const BODY_BYTES = 50_000_000;
/** The body of `/`. */
export const HELLO = "hello, hello, hello ok";
/** The port when kurun is compared with other tunnels, which must forward to it before the benchmark starts. */
export const COMPARED_PORT = 18_080;

/**
 * nginx with one worker. `/` has 22 bytes and `/big` 50 MB. `/up` reads a body of 50 MB into memory, answers once it has everything, and
 * reports the size in `X-Got`. The same is served with TLS on another port.
 */
export class Nginx implements AsyncDisposable {
  private constructor(readonly program: ProgramHere, readonly folder: string, readonly tlsPort: number) {}

  static async start({ certPem, keyPem }: CertificatePair, port: number = freePort()): Promise<Nginx> {
    const folder = await Deno.makeTempDir({ prefix: "kurun-bench-" });
    await Deno.chmod(folder, 0o755);
    await Deno.writeFile(`${folder}/big`, new Uint8Array(BODY_BYTES));
    await Deno.writeTextFile(`${folder}/tls.crt`, certPem);
    await Deno.writeTextFile(`${folder}/tls.key`, keyPem, { mode: 0o600 });
    const tlsPort = freePort();
    await Deno.writeTextFile(`${folder}/nginx.conf`, configuration(folder, port, tlsPort));
    const program = await ProgramHere.start("nginx", ["-e", "stderr", "-c", `${folder}/nginx.conf`], port);
    return new Nginx(program, folder, tlsPort);
  }

  get port(): number {
    return this.program.port;
  }

  /** The URL without a path, with a slash at the end. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  get tlsUrl(): string {
    return `https://127.0.0.1:${this.tlsPort}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

function configuration(folder: string, port: number, tlsPort: number): string {
  return `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; keepalive_requests 100000000; default_type text/plain;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  client_max_body_size 0; client_body_buffer_size ${BODY_BYTES + 65536};
  ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate ${folder}/tls.crt; ssl_certificate_key ${folder}/tls.key;
  server {
    listen 127.0.0.1:${port}; listen 127.0.0.1:${tlsPort} ssl; root ${folder};
    location = / { return 200 "${HELLO}"; }
    location = /up { proxy_pass http://127.0.0.1:${port}/taken; proxy_set_body ""; add_header X-Got $request_length; }
    location = /taken { return 200 "taken"; }
  }
}
`;
}
