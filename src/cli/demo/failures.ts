import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { monotonicNow } from './lines.ts';
import { LINKS, linkOf, prefixOn, routePrefix, usualPrefix } from './topology.ts';
import type { Topology } from './topology.ts';
import { inside, ip } from './namespaces.ts';

export type Failure = 'blackhole' | 'blackhole-out' | 'blackhole-in' | 'linkdown' | 'renumber';
/** How a link goes down: by the client's administrator, or because the other end went dark. */
export type Cause = 'admin' | 'carrier';

export const FAILURES: readonly Failure[] = ['blackhole', 'blackhole-out', 'blackhole-in', 'linkdown', 'renumber'];

/** A failure that is ready to happen without the delay of starting a process. */
export interface Armed {
  /** What is about to happen, for people. */
  readonly what: string;
  /** Makes it happen. Resolves when its last step is done, with the instant just before its first. */
  strike(onStep?: (what: string) => void): Promise<{ readonly at: number }>;
  disarm(): void;
}

const CLIENT_LINK = linkOf('client', 1);
const DELETED_AFTER_MS = 3_000;
const UNROUTED_AFTER_MS = 1_000;
/** How long an address of the old prefix remains valid after its announcement ended (RFC 4861 §4.6.2). */
const OLD_VALID_SECONDS = 7_200;

/** Prepares a failure of provider 1. */
export async function arm(failure: Failure, cause: Cause, topology: Topology): Promise<Armed> {
  if (failure === 'renumber') return renumbering(topology);
  const { role, lines, what } = blow(failure, cause);
  const shell = await ipShell(topology.namespace(role));
  return {
    what,
    strike: async () => {
      const at = monotonicNow();
      await shell.run(lines);
      return { at };
    },
    disarm: shell.close,
  };
}

/** A blackhole rule (`ip-rule(8)`) drops silently what arrives on a link to be forwarded; the router itself goes on answering. */
function blow(
  failure: Exclude<Failure, 'renumber'>,
  cause: Cause,
): { readonly role: 'client' | 'router1'; readonly lines: readonly string[]; readonly what: string } {
  const drop = (host: 'client' | 'server'): string => `rule add pref 1 iif ${linkOf(host, 1).routerEnd.name} blackhole`;
  switch (failure) {
    case 'blackhole':
      return { role: 'router1', lines: [drop('client'), drop('server')], what: 'router 1 stops forwarding, silently' };
    case 'blackhole-out':
      return { role: 'router1', lines: [drop('client')], what: 'router 1 drops silently what the client sends' };
    case 'blackhole-in':
      return { role: 'router1', lines: [drop('server')], what: 'router 1 drops silently what the server sends' };
    case 'linkdown':
      return cause === 'admin'
        ? {
            role: 'client',
            lines: [`link set ${CLIENT_LINK.hostEnd.name} down`],
            what: `the client's link to provider 1 goes down, with its addresses`,
          }
        : {
            role: 'router1',
            lines: [`link set ${CLIENT_LINK.routerEnd.name} down`],
            what: `router 1's end of the client's link goes down; the client loses the carrier`,
          };
  }
}

function renumbering(topology: Topology): Armed {
  const before = prefixOn(CLIENT_LINK);
  const after = prefixOn(CLIENT_LINK, 1);
  const device = CLIENT_LINK.hostEnd.name;
  return {
    what: `router 1 announces ${after}/64 and deprecates ${before}/64`,
    strike: async (onStep) => {
      await routePrefix(topology, CLIENT_LINK, after, true);
      const at = monotonicNow();
      topology.announce(CLIENT_LINK, [
        usualPrefix(CLIENT_LINK, 1),
        { prefix: before, validSeconds: OLD_VALID_SECONDS, preferredSeconds: 0 },
      ]);
      await until(at + DELETED_AFTER_MS);
      topology.announce(CLIENT_LINK, [usualPrefix(CLIENT_LINK, 1)]);
      await ip(topology.namespace('client'), '-6', 'addr', 'flush', 'dev', device, 'to', `${before}/64`);
      onStep?.('the client loses its old addresses, the identifier among them');
      await until(at + DELETED_AFTER_MS + UNROUTED_AFTER_MS);
      await routePrefix(topology, CLIENT_LINK, before, false);
      onStep?.('router 1 stops routing the old prefix');
      return { at };
    },
    disarm: () => undefined,
  };
}

async function until(instant: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, instant - monotonicNow()));
}

/** Repairs what `arm` broke, as far as that is possible: for `--hold` and for tests. */
export async function repair(failure: Failure, topology: Topology): Promise<void> {
  const router = topology.namespace('router1');
  if (failure === 'linkdown') {
    await ip(router, 'link', 'set', CLIENT_LINK.routerEnd.name, 'up');
    await ip(topology.namespace('client'), 'link', 'set', CLIENT_LINK.hostEnd.name, 'up');
  } else if (failure !== 'renumber') {
    for (const link of LINKS.filter(({ provider }) => provider === 1)) {
      const rule = ['rule', 'del', 'pref', '1', 'iif', link.routerEnd.name];
      if ((await ip(router, '-6', 'rule', 'show', 'pref', '1')).includes(link.routerEnd.name)) {
        await ip(router, '-6', ...rule);
      }
    }
  }
}

interface IpShell {
  /** Performs `ip -6` commands; resolves when all have been performed. */
  run(lines: readonly string[]): Promise<void>;
  close: () => void;
}

/** An `ip` that already runs and waits for commands. Each answer is the listing of `lo`, which says that it is done. */
async function ipShell(namespace: string): Promise<IpShell> {
  const child = spawn(...inside(namespace, ['ip', '-6', '-batch', '-']), { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  let settle: { done: () => void; failed: (error: Error) => void } | undefined;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('1: lo:')) settle?.done();
  });
  child.stdin.on('error', () => undefined); // told by 'close'
  child.on('error', (error) => settle?.failed(error));
  child.on('close', () => settle?.failed(new Error(`ip: ${complaint.trim()}`)));
  const run = (lines: readonly string[]): Promise<void> =>
    new Promise((done, failed) => {
      settle = { done, failed };
      child.stdin.write([...lines, 'link show dev lo', ''].join('\n'));
    });
  await run([]);
  return { run, close: () => child.stdin.end() };
}
