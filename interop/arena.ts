import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCaptures } from '../src/cli/demo/capturing.ts';
import type { Noticed } from '../src/cli/demo/daemons.ts';
import { startProgram } from '../src/cli/demo/program.ts';
import type { Program } from '../src/cli/demo/program.ts';
import { addressOf, eventually } from '../src/cli/demo/stage.ts';
import { HOSTS, buildTopology } from '../src/cli/demo/topology.ts';
import type { Host, Topology } from '../src/cli/demo/topology.ts';
import { LociError } from '../src/node/error.ts';
import { parseShim6 } from '../src/shim6/message-codec.ts';
import type { Shim6Message } from '../src/shim6/messages.ts';
import { isControl, packetsOf } from '../test/e2e/support/packets.ts';
import type { Endpoint, Party, Standing } from './endpoint.ts';
import { startForeign } from './foreign-party.ts';
import { PAYLOAD_PORT, startLoci } from './loci-party.ts';

/** RFC 5534 §7 waits 15 s before it suspects anything, RFC 5533 §14 repeats after 4 s: nothing takes longer than a few of these. */
export const SETTLED_WITHIN_MS = 60_000;

/** A Shim6 control message on the wire at the initiator. */
export interface Seen {
  readonly at: number; // milliseconds since 1970
  readonly by: 'initiator' | 'responder';
  readonly message: Shim6Message;
}

/** Two endpoints on two hosts with two providers. The client initiates. */
export class Arena {
  readonly topology: Topology;
  readonly initiator: Party;
  readonly responder: Party;
  readonly #receiver: Program;
  readonly #log: string;
  readonly #events: readonly Noticed[];
  readonly #stopCaptures: () => Promise<void>;

  private constructor(
    topology: Topology,
    parties: { readonly initiator: Party; readonly responder: Party },
    rest: { receiver: Program; log: string; events: readonly Noticed[]; stopCaptures: () => Promise<void> },
  ) {
    this.topology = topology;
    this.initiator = parties.initiator;
    this.responder = parties.responder;
    this.#receiver = rest.receiver;
    this.#log = rest.log;
    this.#events = rest.events;
    this.#stopCaptures = rest.stopCaptures;
  }

  static async build(initiator: Endpoint, responder: Endpoint, log: string): Promise<Arena> {
    mkdirSync(log, { recursive: true });
    const topology = await buildTopology();
    const started: Party[] = [];
    const events: Noticed[] = [];
    try {
      await Promise.all(HOSTS.map((host) => addressOf(topology.namespace(host), host, ['-tentative'])));
      const captures = await startCaptures(topology, log);
      const namespace = topology.namespace('server');
      const receiver = startProgram('udp-receiver', [String(PAYLOAD_PORT)], { namespace, name: 'receiver' });
      await receiver.next('ready');
      const begin = async (endpoint: Endpoint, host: Host): Promise<Party> => {
        const onEvent = (event: Noticed): void => void events.push(event);
        const circumstances = { topology, host, initiates: host === 'client', onEvent };
        const party =
          endpoint.kind === 'loci'
            ? await startLoci(endpoint.profile, circumstances)
            : await startForeign(endpoint.name, endpoint.path, circumstances);
        started.push(party);
        return party;
      };
      const parties = { initiator: await begin(initiator, 'client'), responder: await begin(responder, 'server') };
      return new Arena(topology, parties, { receiver, log, events, stopCaptures: () => captures.stop() });
    } catch (error) {
      await Promise.allSettled(started.map((party) => party.stop()));
      topology.remove();
      throw error;
    }
  }

  /** The context of each side between the two identifiers, once both are ESTABLISHED and know each other's tag. */
  async agreed(complaint: string): Promise<{ readonly initiator: Standing; readonly responder: Standing }> {
    let seen = '';
    try {
      return await eventually(
        complaint,
        async () => {
          const [initiator, responder] = await Promise.all([this.standing('initiator'), this.standing('responder')]);
          seen = `initiator ${initiator?.state ?? 'none'}, responder ${responder?.state ?? 'none'}`;
          if (initiator?.state !== 'ESTABLISHED' || responder?.state !== 'ESTABLISHED') return undefined;
          const known = initiator.tagPeer === responder.tagLocal && responder.tagPeer === initiator.tagLocal;
          seen = known ? seen : 'the tags do not fit';
          return known ? { initiator, responder } : undefined;
        },
        SETTLED_WITHIN_MS,
      );
    } catch (error) {
      if (!(error instanceof LociError) || error.code !== 'timeout') throw error;
      throw new LociError('timeout', `${error.message} (${seen})`, { cause: error });
    }
  }

  async standing(side: 'initiator' | 'responder'): Promise<Standing | undefined> {
    const [own, peer] = side === 'initiator' ? [this.initiator, this.responder] : [this.responder, this.initiator];
    const contexts = await own.contexts();
    return contexts.find(({ ulids }) => ulids[0] === own.ulid && ulids[1] === peer.ulid);
  }

  /** Different datagrams that reached the program on the responder. */
  async delivered(): Promise<number> {
    this.#receiver.tell({ from: 0, to: Number.MAX_SAFE_INTEGER });
    return Number((await this.#receiver.next('received'))['distinct']);
  }

  /** Ends everything; what was on the initiator's links, in order. */
  async close(): Promise<readonly Seen[]> {
    try {
      await Promise.allSettled([this.initiator.stop(), this.responder.stop()]);
      await this.#stopCaptures();
      const text = this.#events.map((event) => JSON.stringify(event)).join('\n');
      writeFileSync(join(this.#log, 'events.jsonl'), `${text}\n`);
      return seenIn(this.#log);
    } finally {
      this.topology.remove();
    }
  }
}

function seenIn(folder: string): Seen[] {
  const files = readdirSync(folder).filter((name) => name.startsWith('client-') && name.endsWith('.pcapng'));
  return files
    .flatMap((name) => packetsOf(new Uint8Array(readFileSync(join(folder, name)))))
    .filter(isControl)
    .flatMap(({ at, source, payload }): Seen[] => {
      const parsed = parseShim6(payload);
      // the client's prefixes are 2001:db8:N:a::/64
      const by = /^2001:db8:\d:a:/.test(source) ? 'initiator' : 'responder';
      return parsed.ok ? [{ at, by, message: parsed.value }] : [];
    })
    .sort((a, b) => a.at - b.at);
}
