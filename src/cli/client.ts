import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { HostEvent } from '../host/events.ts';
import { LociError, systemCode } from '../node/error.ts';
import { LineReader } from '../daemon/lines.ts';
import type { Command, Reply, Request, Results } from '../daemon/protocol.ts';

/** A daemon that answers nothing for so long is stuck. */
const ANSWER_WITHIN_MS = 5_000;

/** Ask the daemon behind the control socket `path` one thing. */
export async function ask<C extends Command>(
  path: string,
  request: Request & { readonly command: C },
): Promise<Results[C]> {
  const socket = connect(path);
  socket.setTimeout(ANSWER_WITHIN_MS, () => {
    socket.destroy(new LociError('timeout', `locid did not answer within ${String(ANSWER_WITHIN_MS / 1000)} s`));
  });
  socket.write(`${JSON.stringify(request)}\n`);
  for await (const reply of replies<C>(socket, path)) {
    socket.destroy();
    if ('result' in reply) return reply.result;
    if ('error' in reply) throw new LociError(reply.error.code, reply.error.message);
  }
  throw new LociError('disconnected', 'locid hung up without an answer; look at its log');
}

/** Every event of the daemon, or those that concern one peer, until it ends (which throws) or `signal` aborts (which does not). */
export async function* watch(path: string, peer?: string, signal?: AbortSignal): AsyncGenerator<HostEvent, void> {
  const socket = connect(path);
  const hangUp = (): void => {
    socket.destroy();
  };
  signal?.addEventListener('abort', hangUp);
  try {
    socket.write(`${JSON.stringify({ id: 1, command: 'monitor', peer } satisfies Request)}\n`);
    for await (const reply of replies<'monitor'>(socket, path)) {
      if ('error' in reply) throw new LociError(reply.error.code, reply.error.message);
      if ('event' in reply) yield reply.event;
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  } finally {
    signal?.removeEventListener('abort', hangUp);
    socket.destroy();
  }
  if (signal?.aborted !== true)
    throw new LociError('disconnected', 'locid has ended, or dropped this monitor because it was slow');
}

async function* replies<C extends Command>(socket: Socket, path: string): AsyncGenerator<Reply<C>, void> {
  const reader = new LineReader(Number.POSITIVE_INFINITY);
  socket.setEncoding('utf8');
  try {
    for await (const chunk of socket) {
      for (const line of reader.lines(String(chunk)) ?? []) {
        const reply: Reply<C> = JSON.parse(line); // of our own daemon
        yield reply;
      }
    }
  } catch (error) {
    throw explained(error, path);
  }
}

function explained(error: unknown, path: string): unknown {
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
      return new LociError(
        'not-running',
        `locid is not running (nobody answers at ${path}); start it with: locid --config /etc/loci/locid.toml`,
        { cause: error },
      );
    case 'EACCES':
    case 'EPERM':
      return new LociError('privilege', `the control socket ${path} belongs to another user; run loci as root`, {
        cause: error,
      });
    default:
      return error;
  }
}
