import { ip, settings } from '../../../src/cli/demo/namespaces.ts';
import type { Program, Report } from '../../../src/cli/demo/program.ts';
import type { Topology } from '../../../src/cli/demo/topology.ts';
import { startSupport } from './programs.ts';

/** Everything below this prefix is the stranger. */
export const STRANGE = '2001:db8:bad';

/** A third host behind router 1 that owns a whole /48 and sends with any source it likes. */
export interface Stranger {
  /** Resolves when the kernel has taken all packets. */
  send(packets: readonly string[]): Promise<void>;
  /** The next Shim6 message that comes to it. */
  heard(withinMs?: number): Promise<{ readonly source: string; readonly octets: Uint8Array } | undefined>;
  listen(listen: boolean): Promise<void>;
}

/** Links a stranger to router 1. Its namespace carries the topology's tag, and goes with it. */
export async function inviteStranger(topology: Topology): Promise<Stranger> {
  const namespace = `${topology.tag}-stranger`;
  const router = topology.namespace('router1');
  await ip(undefined, 'netns', 'add', namespace);
  await ip(
    undefined,
    'link',
    'add',
    'x1',
    'netns',
    namespace,
    'type',
    'veth',
    'peer',
    'name',
    'to-stranger',
    'netns',
    router,
  );
  await ip(namespace, 'link', 'set', 'lo', 'up');
  await settings(namespace, { 'conf/x1/accept_dad': 0, 'conf/x1/accept_ra': 0 });
  await settings(router, { 'conf/to-stranger/accept_dad': 0 });
  await ip(namespace, 'link', 'set', 'x1', 'up');
  await ip(router, 'link', 'set', 'to-stranger', 'up');
  await ip(namespace, 'addr', 'add', `${STRANGE}:ffff::2/64`, 'dev', 'x1', 'nodad');
  await ip(router, 'addr', 'add', `${STRANGE}:ffff::1/64`, 'dev', 'to-stranger', 'nodad');
  await ip(namespace, '-6', 'route', 'add', 'default', 'via', `${STRANGE}:ffff::1`);
  await ip(namespace, '-6', 'route', 'add', 'local', `${STRANGE}::/48`, 'dev', 'lo');
  await ip(router, '-6', 'route', 'add', `${STRANGE}::/48`, 'via', `${STRANGE}:ffff::2`);
  const injector: Program = await startSupport('injector', [], namespace);
  return {
    send: async (packets) => {
      injector.tell({ packets });
      const { sent } = await injector.next('sent', 30_000);
      if (Number(sent) === 0 && packets.length > 0) throw new Error('the kernel refused every packet');
    },
    heard: async (withinMs = 1_000) => {
      const report: Report | undefined = await injector.next('heard', withinMs).catch(() => undefined);
      return report === undefined
        ? undefined
        : { source: String(report['source']), octets: Buffer.from(String(report['octets']), 'hex') };
    },
    listen: async (listen) => {
      injector.tell({ listen });
      await injector.next('listening');
    },
  };
}
