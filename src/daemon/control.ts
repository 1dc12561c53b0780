import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { LociError, messageOf } from '../node/error.ts';
import { LineReader } from './lines.ts';
import { claimSocket } from './local-socket.ts';
import type { Log } from './log.ts';
import { LINE_LIMIT, parseRequest } from './protocol.ts';
import type { Command, Control, Reply, Request, Results } from './protocol.ts';

/** Connections at one time. */
const CLIENTS = 64;

/** Octets that may wait for a client that does not read; who is further behind when more is due is dropped. */
export const QUEUE_LIMIT: number = 1 << 20;

/** Contexts that are shown in one turn of the event loop: about a millisecond's worth. */
export const SHOWN_TOGETHER = 50;

interface Client {
  readonly socket: Socket;
  /** Requests that wait until the one before them is answered. */
  readonly lines: string[];
  isBusy: boolean;
  unsubscribe?: () => void; // of the one event stream that a connection may have
}

/**
 * The control socket: newline-delimited JSON on a Unix socket that only its owner may open. Claimed before anything on
 * the machine changes, so that a second daemon finds out in time; answers once it is given a `Control`.
 */
export class ControlServer {
  readonly #server: Server;
  readonly #log: Log;
  readonly #clients = new Set<Client>();
  #control: Control | undefined;
  #dropped = 0;

  /** Take the socket at `path`. A socket left behind by a dead daemon is replaced, a living daemon's is refused. */
  static async claim(path: string, log: Log): Promise<ControlServer> {
    const server = createServer();
    await claimSocket(server, { path, purpose: 'control socket', key: 'control_socket' });
    return new ControlServer(server, log);
  }

  private constructor(server: Server, log: Log) {
    this.#server = server;
    this.#log = log;
    server.maxConnections = CLIENTS;
    server.on('connection', (socket) => {
      this.#attend({ socket, lines: [], isBusy: false });
    });
    server.on('error', (error) => {
      log.warn({ reason: error.message }, 'the control socket refused a client');
    });
  }

  /** Monitors that were dropped because they did not read. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Begin to answer. */
  serve(control: Control): void {
    this.#control = control;
  }

  /** Hang up on everybody and remove the socket. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      for (const { socket } of this.#clients) socket.destroy();
    });
  }

  #attend(client: Client): void {
    const { socket } = client;
    const reader = new LineReader(LINE_LIMIT);
    this.#clients.add(client);
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      const lines = reader.lines(String(chunk));
      if (lines !== undefined) {
        client.lines.push(...lines.filter((line) => line.trim() !== ''));
        this.#serve(client);
        return;
      }
      this.#send(socket, { id: null, error: { code: 'line-too-long', message: 'the request line is too long' } });
      socket.removeAllListeners('data').destroySoon();
    });
    socket.on('error', (error) => {
      this.#log.debug({ reason: error.message }, 'a control connection broke');
    });
    socket.on('close', () => {
      this.#clients.delete(client);
      client.unsubscribe?.();
    });
  }

  #serve(client: Client): void {
    for (;;) {
      if (client.isBusy) return;
      const line = client.lines.shift();
      if (line === undefined) return;
      this.#answer(client, line);
    }
  }

  #answer(client: Client, line: string): void {
    const { socket } = client;
    const parsed = parseRequest(line);
    if ('refusal' in parsed) {
      this.#send(socket, parsed.refusal);
      return;
    }
    const { request } = parsed;
    this.#attempt(client, request, () => {
      const control = this.#control;
      if (control === undefined) throw new LociError('starting', 'locid is still starting; ask again');
      const result = this.#perform(client, request, control);
      if (result !== undefined) this.#send(socket, { id: request.id, result });
    });
  }

  #attempt({ socket }: Client, { id, command }: Request, work: () => void): void {
    try {
      work();
    } catch (error) {
      const known = error instanceof LociError;
      if (!known) this.#log.error({ command, reason: messageOf(error) }, 'a control command failed');
      this.#send(socket, { id, error: { code: known ? error.code : 'internal', message: messageOf(error) } });
    }
  }

  /** A list may be long: some of it in every turn of the event loop, and then all of it in one line. */
  #list(client: Client, request: Request, list: Iterable<readonly unknown[]>): void {
    const { socket } = client;
    const parts = list[Symbol.iterator]();
    const chunks = [Buffer.from(`{"id":${JSON.stringify(request.id)},"result":[`)];
    let separator = '';
    const isComplete = (): boolean => {
      let text = '';
      for (let shown = 0; shown < SHOWN_TOGETHER; shown++) {
        const part = parts.next();
        if (part.done === true) {
          chunks.push(Buffer.from(`${text}]}\n`));
          return true;
        }
        for (const item of part.value) {
          text += separator + JSON.stringify(item);
          separator = ',';
        }
      }
      chunks.push(Buffer.from(text));
      return false;
    };
    const goOn = (): void => {
      client.isBusy = false;
      this.#attempt(client, request, () => {
        if (isComplete()) {
          this.#write(socket, chunks);
          return;
        }
        client.isBusy = true;
        setImmediate(goOn);
      });
      if (client.isBusy) return;
      socket.resume();
      this.#serve(client);
    };
    socket.pause();
    goOn();
  }

  /** The result; `undefined` for a list, which is answered later. */
  #perform(client: Client, request: Request, control: Control): Results[Command] | undefined {
    switch (request.command) {
      case 'status':
        return control.status();
      case 'contexts':
        this.#list(client, request, control.contexts());
        return undefined;
      case 'paths':
        this.#list(client, request, control.paths());
        return undefined;
      case 'locators':
        return control.locators();
      case 'associations':
        return control.associations();
      case 'esp-keys':
        return control.espKeys();
      case 'close':
        return { closed: control.close(request.ulids) };
      case 'wish':
        return { contexts: control.wish(request.peer, request.wish) };
      case 'monitor':
        if (client.unsubscribe !== undefined)
          throw new LociError('busy', 'this connection has an event stream already');
        client.unsubscribe = control.subscribe((event) => {
          if (request.peer !== undefined && !('ulids' in event && event.ulids[1] === request.peer)) return;
          this.#send(client.socket, { id: request.id, event });
        });
        return {};
    }
  }

  #send(socket: Socket, reply: Reply): void {
    this.#write(socket, [Buffer.from(`${JSON.stringify(reply)}\n`)]);
  }

  #write(socket: Socket, chunks: readonly Buffer[]): void {
    if (socket.destroyed) return;
    if (socket.writableLength <= QUEUE_LIMIT) {
      socket.cork();
      for (const chunk of chunks) socket.write(chunk);
      socket.uncork();
      return;
    }
    socket.destroy();
    this.#dropped++;
    this.#log.warn({ dropped: this.#dropped }, 'dropped a control client that does not read');
  }
}
