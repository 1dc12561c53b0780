import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { messageOf } from '../node/error.ts';
import { claimSocket } from './local-socket.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

/** Readers at one time. */
const CLIENTS = 8;
const PATIENCE_MS = 5_000;

/** `GET /metrics` on a Unix socket that only its owner may open; answers once it is given `Metrics`. */
export class MetricsServer {
  readonly #server: Server;
  readonly #log: Log;
  #metrics: Metrics | undefined;

  /** Take the socket at `path`, as the control socket is taken. */
  static async claim(path: string, log: Log): Promise<MetricsServer> {
    const server = createServer({ requestTimeout: PATIENCE_MS, keepAliveTimeout: PATIENCE_MS });
    await claimSocket(server, { path, purpose: 'metrics socket', key: 'metrics_socket' });
    return new MetricsServer(server, log);
  }

  private constructor(server: Server, log: Log) {
    this.#server = server;
    this.#log = log;
    server.maxConnections = CLIENTS;
    server.on('request', (request, response) => {
      void this.#answer(request, response);
    });
    server.on('error', (error) => {
      log.warn({ reason: error.message }, 'the metrics socket refused a client');
    });
  }

  /** Begin to answer. */
  serve(metrics: Metrics): void {
    this.#metrics = metrics;
  }

  /** Hang up on everybody and remove the socket. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url } = request;
    if (url?.split('?', 1)[0] !== '/metrics') return refuse(response, 404, 'only /metrics is here');
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return refuse(response, 405, 'metrics can only be read');
    }
    if (this.#metrics === undefined) return refuse(response, 503, 'locid is still starting');
    try {
      const text = await this.#metrics.text();
      response.writeHead(200, { 'Content-Type': this.#metrics.contentType, 'Content-Length': Buffer.byteLength(text) });
      response.end(method === 'HEAD' ? undefined : text);
    } catch (error) {
      this.#log.error({ reason: messageOf(error) }, 'could not take the metrics');
      refuse(response, 500, 'the metrics cannot be taken');
    }
  }
}

function refuse(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${sentence}\n`);
}
