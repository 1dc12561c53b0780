import type { HostEvent, PairText } from '../host/events.ts';
import type { HostLocator } from '../host/host-io.ts';
import { formatAddress, sameOctets } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { ACKNOWLEDGEMENT, DATAGRAM, SEGMENT, StreamReceiver, StreamSender } from './stream.ts';
import { GOOD, HOLE, longestGap, TwoHosts } from './two-hosts.ts';
import type { TwoHostsConfiguration } from './two-hosts.ts';

export type SimulatedFailure = 'blackhole' | 'blackhole-out' | 'blackhole-in' | 'linkdown' | 'renumber';

export interface DemonstrationOptions extends TwoHostsConfiguration {
  readonly failure: SimulatedFailure;
  /** Of the stream, in megabits per second. */
  readonly rate: number;
  /** `linkdown`: the link loses its carrier, the addresses stay. */
  readonly carrier?: boolean;
}

/** What the programs of host a (client) and host b (server) saw, in milliseconds of virtual time. */
export interface Demonstration {
  readonly events: readonly (HostEvent & { readonly host: 'client' | 'server' })[];
  readonly failedAt: Instant;
  readonly stream: { readonly octets: number; readonly complete: boolean; readonly stallMs: number };
  readonly datagrams: { readonly sent: number; readonly lost: number; readonly gapMs: number };
  readonly detectMs: number | undefined;
  readonly recoverMs: number | undefined;
  readonly pairBefore: PairText;
  readonly pairAfter: PairText;
}

const STEADY_MS = 1_000;
const AFTER_MS = 2_500;
/** The old address goes 3 s after it was deprecated, its route 1 s later. */
const REMOVED_AFTER_MS = 3_000;
const UNROUTED_AFTER_MS = 4_000;
const DRAIN_MS = 500;

/** The demonstration of `npm run demo` without a kernel: the same hosts, a stream and datagrams from a to b, one failure. */
export function demonstrate(options: DemonstrationOptions): Demonstration {
  const hosts = new TwoHosts(options);
  const { a, b, world } = hosts;
  const ulids = hosts.ulids(a);
  const back = { local: ulids.peer, peer: ulids.local };
  const datagrams: Instant[] = [];
  let sent = 0;
  const receiver = new StreamReceiver((payload) => b.sim.send(back, payload));
  const sender = new StreamSender(world, options.rate, (payload) => a.sim.send(ulids, payload));
  a.sim.deliver = (_, payload) => {
    if (payload[0] === ACKNOWLEDGEMENT) sender.acknowledge(payload);
  };
  b.sim.deliver = (_, payload) => {
    if (payload[0] === SEGMENT) receiver.receive(payload, world.now);
    else datagrams.push(world.now);
  };
  let isSending = true;
  world.every(1, () => {
    if (!isSending) return;
    sent++;
    a.sim.send(ulids, new Uint8Array(64).fill(DATAGRAM));
  });
  hosts.run(50);
  hosts.establish();
  hosts.run(STEADY_MS);
  const pairBefore = hosts.sending(a) ?? ['', ''];
  const failedAt = world.now;
  const steps = strike(hosts, options);
  hosts.run(steps + AFTER_MS);
  const finishedAt = world.now;
  isSending = false;
  sender.stop();
  hosts.run(DRAIN_MS);
  const context = a.sim.host.contexts.of(ulids);
  const events = [
    ...a.sim.events.map((event) => ({ ...event, host: 'client' as const })),
    ...b.sim.events.map((event) => ({ ...event, host: 'server' as const })),
  ].sort((x, y) => x.at - y.at);
  const after = (name: HostEvent['event']): number | undefined => {
    const event = events.find((one) => one.event === name && one.at >= failedAt);
    return event && event.at - failedAt;
  };
  return {
    events,
    failedAt,
    stream: {
      octets: receiver.octets,
      complete: receiver.octets >= sender.octets && sender.octets > 0,
      stallMs: longestGap(receiver.progress, failedAt - 100, finishedAt),
    },
    datagrams: { sent, lost: sent - datagrams.length, gapMs: longestGap(datagrams, failedAt - 100, finishedAt) },
    detectMs: after('suspect'),
    recoverMs: after('arrived'),
    pairBefore,
    pairAfter:
      context === undefined
        ? ['', '']
        : [formatAddress(context.flow.pair.local), formatAddress(context.flow.pair.peer)],
  };
}

/** Apply the failure; how long its steps take. */
function strike(hosts: TwoHosts, { failure, carrier = false }: DemonstrationOptions): number {
  const { a } = hosts;
  switch (failure) {
    case 'blackhole':
      hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
      return 0;
    case 'blackhole-out':
      hosts.ways.way = (provider, direction) => (provider === 1 && direction === 'a-b' ? HOLE : GOOD);
      return 0;
    case 'blackhole-in':
      hosts.ways.way = (provider, direction) => (provider === 1 && direction === 'b-a' ? HOLE : GOOD);
      return 0;
    case 'linkdown':
      hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
      hosts.change(a, carrier ? withFirst(a.locators, { operational: false }) : a.locators.slice(1));
      return 0;
    case 'renumber':
      return renumber(hosts);
  }
}

function renumber(hosts: TwoHosts): number {
  const { a, world } = hosts;
  const [old] = a.locators;
  const fresh = a.form(3);
  const routed = hosts.ways.special;
  // Prefix 3 is announced by router 1: its addresses reach what provider 1 reaches.
  hosts.ways.special = (source, destination) =>
    sameOctets(source, fresh.address) || sameOctets(destination, fresh.address) ? GOOD : routed(source, destination);
  hosts.change(a, [...withFirst(a.locators, { state: 'deprecated' }), fresh]);
  world.after(REMOVED_AFTER_MS, () => {
    hosts.change(
      a,
      a.locators.filter((locator) => locator.address !== old?.address),
    );
  });
  world.after(UNROUTED_AFTER_MS, () => {
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
  });
  return UNROUTED_AFTER_MS;
}

function withFirst(locators: readonly HostLocator[], change: Partial<HostLocator>): HostLocator[] {
  return locators.map((locator, i) => (i === 0 ? { ...locator, ...change } : locator));
}
