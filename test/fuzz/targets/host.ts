import { establishedPair } from '../../host/two-hosts.ts';
import { parseIcmpError } from '../../../src/wire/icmpv6.ts';
import { parseIpv6Header } from '../../../src/wire/ipv6.ts';
import { parseQuoted } from '../../../src/shim6/quoted.ts';
import { encodeShim6 } from '../../../src/shim6/message-codec.ts';
import { contextTag } from '../../../src/shim6/tag.ts';
import type { Target } from '../targets.ts';
import { repairChecksum } from './shim6.ts';
import { packetsOf } from './wire.ts';

const packets = packetsOf('linshim6-cga.pcap').filter((packet) => packet[6] === 140);
const shim6 = packets.map((packet) => packet.slice(40));

/** ICMPv6 Parameter Problem, code 1, about each packet. */
const errors = packets.map((packet) => Uint8Array.of(4, 1, 0, 0, 0, 0, 0, 6, ...packet));

const tags = [1, 2, 3].map((value) => contextTag(value));

/** A whole host with an established context, fed with packets from its peer's addresses; what it may do is bounded. */
const pair = establishedPair();

export const hostTargets: Readonly<Record<string, Target>> = {
  'IPv6 header': { run: (bytes) => parseIpv6Header(bytes).ok, corpus: packets },
  'ICMPv6 error': { run: (bytes) => parseIcmpError(bytes).ok, corpus: errors },
  'quoted Shim6 packet': { run: (bytes) => parseQuoted(bytes) !== undefined, corpus: packets },
  'Shim6 host': {
    run: (bytes) => {
      const { hosts, source, destination } = pair;
      const { host } = hosts.a.sim;
      const contexts = host.contexts.size;
      const effects = host.handle(
        { type: 'control', packet: { source, destination, hopLimit: 64, octets: bytes } },
        hosts.world.now,
      );
      if (host.contexts.size !== contexts) throw new Error('a forged packet made or removed a context');
      for (const effect of effects) {
        if (effect.type !== 'transmit') continue;
        const { octets } = effect;
        if (octets.length > 3 * bytes.length && octets.length > bytes.length + 48) throw new Error('amplifies');
      }
      return effects.some((effect) => effect.type === 'transmit');
    },
    corpus: [...shim6, ...tags.map((tag) => encodeShim6({ type: 'Keepalive', receiverContextTag: tag, options: {} }))],
    repair: repairChecksum,
  },
  'host and ICMPv6 errors': {
    run: (bytes) => {
      const { hosts } = pair;
      const contexts = hosts.a.sim.host.contexts.size;
      hosts.a.sim.host.handle({ type: 'icmp', source: pair.source, octets: bytes }, hosts.world.now);
      if (hosts.a.sim.host.contexts.size !== contexts) throw new Error('an ICMPv6 error made or removed a context');
      return parseIcmpError(bytes).ok;
    },
    corpus: errors,
  },
};
