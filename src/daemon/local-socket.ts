import { chmodSync, lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { LociError, messageOf, systemCode } from '../node/error.ts';

/** A Unix socket that the daemon serves, and what people call it. */
export interface LocalSocket {
  readonly path: string;
  readonly purpose: string; // 'control socket'
  readonly key: string; // of the configuration
}

/**
 * Make `server` listen on a Unix socket that only its owner may open. A socket left behind by a dead daemon is replaced,
 * a living daemon's is refused.
 */
export async function claimSocket(server: Server, socket: LocalSocket): Promise<void> {
  const { path, purpose } = socket;
  makeDirectory(socket);
  try {
    await bind(server, path);
  } catch (cause) {
    if (systemCode(cause) !== 'EADDRINUSE') {
      throw new LociError('config', `cannot listen on the ${purpose} ${path}: ${messageOf(cause)}`, { cause });
    }
    await removeStale(socket);
    await bind(server, path);
  }
}

function makeDirectory({ path, purpose }: LocalSocket): void {
  const directory = dirname(path);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (cause) {
    const code = systemCode(cause) === 'EACCES' ? 'privilege' : 'config';
    throw new LociError(code, `cannot make ${directory} for the ${purpose}: ${messageOf(cause)}`, { cause });
  }
  const { mode } = statSync(directory);
  const sticky = (mode & 0o1000) !== 0;
  if ((mode & 0o022) !== 0 && !sticky) {
    throw new LociError(
      'config',
      `others may write into ${directory}, where the ${purpose} goes; run: chmod go-w ${directory}`,
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

async function removeStale({ path, key }: LocalSocket): Promise<void> {
  if (!lstatSync(path).isSocket()) {
    throw new LociError('config', `${path} is no socket; remove it or set ${key} to another path`);
  }
  if (await answers(path)) {
    throw new LociError(
      'already-running',
      `another locid answers at ${path}; stop it first, or set ${key} to another path`,
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
