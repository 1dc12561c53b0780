import { pause } from '../src/cli/demo/daemons.ts';
import { arm } from '../src/cli/demo/failures.ts';
import { ip } from '../src/cli/demo/namespaces.ts';
import { eventually } from '../src/cli/demo/stage.ts';
import { linkOf, prefixOn } from '../src/cli/demo/topology.ts';
import { CRITICAL_OPTION } from '../src/shim6/error-message.ts';
import { encodeShim6, parseShim6 } from '../src/shim6/message-codec.ts';
import { contextTag } from '../src/shim6/tag.ts';
import { IPV6_HEADER_LENGTH } from '../src/wire/ipv6.ts';
import { packet, summed } from '../test/e2e/support/packets.ts';
import { STRANGE, inviteStranger } from '../test/e2e/support/stranger.ts';
import { SETTLED_WITHIN_MS } from './arena.ts';
import type { Arena, Seen } from './arena.ts';
import { Unsupported } from './endpoint.ts';
import type { ScenarioName } from './names.ts';

/** What is done, and what the capture at the initiator must show afterwards. Both throw with the reason. */
export interface Scenario {
  readonly name: ScenarioName;
  steps(arena: Arena): Promise<void>;
  judge?(seen: readonly Seen[]): void;
}

const RESUMED_DATAGRAMS = 50;
const STILL_MS = 3_000;
const ANSWERED_WITHIN_MS = 3_000;

/** By name, so that none can be forgotten. */
export const SCENARIOS: { readonly [Name in ScenarioName]: Scenario } = {
  /** RFC 5533 §7.3: four messages in this order, and the context uses the identifiers themselves. */
  establishment: {
    name: 'establishment',
    steps: async (arena) => {
      const { initiator, responder } = await begun(arena);
      for (const { pair, ulids } of [initiator, responder]) {
        if (pair[0] !== ulids[0] || pair[1] !== ulids[1]) throw new Error('the context does not use its identifiers');
      }
    },
    judge: (seen) => {
      expectInOrder(seen, ['I1 initiator', 'R1 responder', 'I2 initiator', 'R2 responder']);
    },
  },

  /** RFC 5533 §5.15: an Error message with code 1 that points at the option, from both, to a host that they never met. */
  'unknown-critical-option': {
    name: 'unknown-critical-option',
    steps: async (arena) => {
      const stranger = await inviteStranger(arena.topology);
      await stranger.listen(true);
      for (const [side, { ulid }] of [
        ['initiator', arena.initiator] as const,
        ['responder', arena.responder] as const,
      ]) {
        await stranger.send([packet(`${STRANGE}:1::1`, ulid, i1WithUnknownOption())]);
        const answer = await stranger.heard(ANSWERED_WITHIN_MS);
        if (answer === undefined) throw new Error(`the ${side} does not answer an unknown critical option`);
        const parsed = parseShim6(answer.octets);
        if (!parsed.ok || parsed.value.type !== 'Error') throw new Error(`the ${side} answers, but not with an Error`);
        const { code, pointer } = parsed.value;
        if (code !== CRITICAL_OPTION || pointer !== OPTION_AT) {
          throw new Error(`the ${side} says code ${String(code)} at ${String(pointer)}, not 1 at ${String(OPTION_AT)}`);
        }
      }
    },
  },

  /** RFC 5534: provider 1 drops everything; datagrams arrive again, over the other pair. */
  'data-across-failover': {
    name: 'data-across-failover',
    steps: async (arena) => {
      if (!arena.initiator.carriesPayload || !arena.responder.carriesPayload) {
        throw new Unsupported('an endpoint carries no payload');
      }
      const before = await begun(arena);
      const failure = await arm('blackhole', 'admin', arena.topology);
      await failure.strike();
      failure.disarm();
      const lost = await arena.delivered();
      await eventually(
        'no datagram arrives over another pair',
        async () => ((await arena.delivered()) > lost + RESUMED_DATAGRAMS ? true : undefined),
        SETTLED_WITHIN_MS,
      );
      const after = await arena.standing('initiator');
      const moved = after !== undefined && after.pair.join() !== before.initiator.pair.join();
      if (!moved) throw new Error('datagrams arrive, but the initiator uses the pair that is dead');
      if (after.ulids.join() !== before.initiator.ulids.join()) throw new Error('the identifiers changed');
    },
  },

  /** RFC 5533 §10: the initiator loses an address that it does not use; the responder is told and acknowledges. */
  'locator-update': {
    name: 'locator-update',
    steps: async (arena) => {
      const { responder } = await begun(arena);
      const link = linkOf('client', 2);
      const lost = ({ address }: { readonly address: string }): boolean =>
        address.startsWith(prefixOn(link).slice(0, -1));
      if (!responder.peerLocators.some(lost))
        throw new Error("the responder does not know the initiator's second locator");
      await ip(arena.topology.namespace('client'), 'link', 'set', link.hostEnd.name, 'down');
      await eventually(
        'the responder still counts on a locator that is gone',
        async () => {
          const locators = (await arena.standing('responder'))?.peerLocators;
          return locators?.every((locator) => !lost(locator) || locator.broken) === true ? true : undefined;
        },
        SETTLED_WITHIN_MS,
      );
    },
    judge: (seen) => {
      expectInOrder(seen, ['UpdateRequest initiator', 'UpdateAcknowledgement responder']);
    },
  },

  /** RFC 5533 §7.5: the responder forgets the context; what the initiator sends next brings it back. */
  'context-lost': {
    name: 'context-lost',
    steps: async (arena) => {
      const before = await begun(arena);
      await arena.responder.close(arena.initiator.ulid);
      const after = await arena.agreed('the context that one side lost does not come back');
      if (after.responder.tagLocal === before.responder.tagLocal)
        throw new Error('the responder uses its old tag again');
      if (after.initiator.tagLocal !== before.initiator.tagLocal)
        throw new Error('the initiator made a context of its own');
    },
    judge: (seen) => {
      expectInOrder(seen, ['R1bis responder', 'I2bis initiator', 'R2 responder']);
    },
  },

  /** The responder dies and comes back as itself: both agree again, without help. */
  'peer-restart': {
    name: 'peer-restart',
    steps: async (arena) => {
      await begun(arena);
      const { ulid } = arena.responder;
      await arena.responder.restart();
      const after = await arena.agreed('there is no context after the restart of the responder');
      if (after.responder.ulids[0] !== ulid) throw new Error('the responder came back as somebody else');
    },
  },

  /** RFC 5533 §9: both forget; nothing lives on, and a new context can begin. */
  teardown: {
    name: 'teardown',
    steps: async (arena) => {
      const before = await begun(arena);
      arena.initiator.quiet();
      await eventually(
        'a context lives on after both sides closed it',
        async () => {
          const { initiator, responder } = arena;
          if ((await arena.standing('initiator')) !== undefined) await closed(initiator.close(responder.ulid));
          if ((await arena.standing('responder')) !== undefined) await closed(responder.close(initiator.ulid));
          await pause(STILL_MS); // a Keepalive that was under way may have brought it back
          return (await empty(arena)) ? true : undefined;
        },
        SETTLED_WITHIN_MS,
      );
      const after = await begun(arena);
      if (after.initiator.tagLocal === before.initiator.tagLocal) throw new Error('the new context has the old tag');
    },
  },
};

async function begun(arena: Arena): ReturnType<Arena['agreed']> {
  await arena.initiator.open(arena.responder.ulid);
  return arena.agreed('no context begins');
}

async function empty(arena: Arena): Promise<boolean> {
  return (await arena.standing('initiator')) === undefined && (await arena.standing('responder')) === undefined;
}

/** The peer may have ended it between question and command. */
async function closed(closing: Promise<void>): Promise<void> {
  await closing.catch((error: unknown) => {
    if (error instanceof Unsupported) throw error;
  });
}

/** Each one after the one before; others may come in between. */
export function expectInOrder(seen: readonly Seen[], wanted: readonly string[]): void {
  let from = 0;
  for (const one of wanted) {
    const at = seen.findIndex(({ by, message }, i) => i >= from && `${message.type} ${by}` === one);
    if (at < 0) throw new Error(`on the wire there is no ${one.replace(' ', ' of the ')} in its place`);
    from = at + 1;
  }
}

const I1_LENGTH = 16;
/** §5.14: pointers count from the start of the packet in error, its IPv6 header included. */
const OPTION_AT = IPV6_HEADER_LENGTH + I1_LENGTH;
const UNKNOWN_TYPE = 0x2abc;
const OPTION_HEADER = 4;

function i1WithUnknownOption(): Uint8Array {
  const i1 = encodeShim6({
    type: 'I1',
    initiatorContextTag: contextTag(0x1122334455),
    initiatorNonce: 0x66778899,
    options: {},
  });
  const octets = new Uint8Array(I1_LENGTH + 8);
  octets.set(i1);
  octets[1] = octets.length / 8 - 1;
  const view = new DataView(octets.buffer);
  view.setUint16(I1_LENGTH, (UNKNOWN_TYPE << 1) | 1); // C, RFC 5533 §5.15
  view.setUint16(I1_LENGTH + 2, 8 - OPTION_HEADER);
  return summed(octets);
}
