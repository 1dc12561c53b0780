import { chmodSync, lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import { LociError, messageOf, systemCode } from '../node/error.ts';
import type { Log } from './log.ts';
import { LINE_LIMIT, LineReader, parseRequest } from './protocol.ts';
import type { Command, Control, Reply, Request, Results } from './protocol.ts';

/** Connections at one time. */
const CLIENTS = 64;

/** Octets that may wait for a client that does not read; who is further behind when more is due is dropped. */
export const QUEUE_LIMIT: number = 1 << 20;

interface Client {
  readonly socket: Socket;
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
    makeDirectory(dirname(path));
    const server = createServer();
    try {
      await bind(server, path);
    } catch (cause) {
      if (systemCode(cause) !== 'EADDRINUSE') {
        throw new LociError('config', `cannot listen on the control socket ${path}: ${messageOf(cause)}`, { cause });
      }
      await removeStale(path);
      await bind(server, path);
    }
    return new ControlServer(server, log);
  }

  private constructor(server: Server, log: Log) {
    this.#server = server;
    this.#log = log;
    server.maxConnections = CLIENTS;
    server.on('connection', (socket) => {
      this.#attend({ socket });
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
      for (const line of lines ?? []) if (line.trim() !== '') this.#answer(client, line);
      if (lines !== undefined) return;
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

  #answer(client: Client, line: string): void {
    const { socket } = client;
    const parsed = parseRequest(line);
    if ('refusal' in parsed) {
      this.#send(socket, parsed.refusal);
      return;
    }
    const { id, command } = parsed.request;
    try {
      this.#send(socket, { id, result: this.#perform(client, parsed.request) });
    } catch (error) {
      const known = error instanceof LociError;
      if (!known) this.#log.error({ command, reason: messageOf(error) }, 'a control command failed');
      this.#send(socket, { id, error: { code: known ? error.code : 'internal', message: messageOf(error) } });
    }
  }

  #perform(client: Client, request: Request): Results[Command] {
    const control = this.#control;
    if (control === undefined) throw new LociError('starting', 'locid is still starting; ask again');
    switch (request.command) {
      case 'status':
        return control.status();
      case 'contexts':
        return control.contexts();
      case 'locators':
        return control.locators();
      case 'paths':
        return control.paths();
      case 'close':
        return { closed: control.close(request.ulids) };
      case 'monitor':
        if (client.unsubscribe !== undefined)
          throw new LociError('busy', 'this connection has an event stream already');
        client.unsubscribe = control.subscribe((event) => {
          this.#send(client.socket, { id: request.id, event });
        });
        return {};
    }
  }

  #send(socket: Socket, reply: Reply): void {
    if (socket.destroyed) return;
    if (socket.writableLength <= QUEUE_LIMIT) {
      socket.write(`${JSON.stringify(reply)}\n`);
      return;
    }
    socket.destroy();
    this.#dropped++;
    this.#log.warn({ dropped: this.#dropped }, 'dropped a control client that does not read');
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (cause) {
    const code = systemCode(cause) === 'EACCES' ? 'privilege' : 'config';
    throw new LociError(code, `cannot make ${directory} for the control socket: ${messageOf(cause)}`, { cause });
  }
  const { mode } = statSync(directory);
  const sticky = (mode & 0o1000) !== 0;
  if ((mode & 0o022) !== 0 && !sticky) {
    throw new LociError(
      'config',
      `others may write into ${directory}, where the control socket goes; run: chmod go-w ${directory}`,
    );
  }
}

/** Bound with a mask that lets nobody else in, even for a moment. */
function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const mask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        chmodSync(path, 0o600);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

async function removeStale(path: string): Promise<void> {
  if (!lstatSync(path).isSocket()) {
    throw new LociError('config', `${path} is no socket; remove it or set control_socket to another path`);
  }
  if (await answers(path)) {
    throw new LociError(
      'already-running',
      `another locid answers at ${path}; stop it first, or set control_socket to another path`,
    );
  }
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (cause) => {
      const code = systemCode(cause);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      else reject(new LociError('config', `cannot tell who owns ${path}: ${cause.message}`, { cause }));
    });
  });
}
