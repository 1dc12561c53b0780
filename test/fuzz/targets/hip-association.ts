import type { AssociationEffect } from '../../../src/hip/association-io.ts';
import { hipLength, parseHip } from '../../../src/hip/packet-codec.ts';
import { writeChecksum } from '../../../src/hip/packet-carriage.ts';
import { signedRange, signedRange2 } from '../../../src/hip/packet-ranges.ts';
import type { ReceivedPacket } from '../../../src/hip/packet.ts';
import { parameterOf } from '../../../src/hip/parameter.ts';
import { toHex } from '../../../src/wire/hex.ts';
import { A1, A2, B1, World } from '../../hip/association-world.ts';
import type { End } from '../../hip/association-world.ts';
import type { Target } from '../targets.ts';

/** What happens in the life of an association, and when. */
const LIFE: readonly (readonly [number, (world: World) => void])[] = [
  [
    0,
    (world) => {
      world.connect();
    },
  ],
  [
    500,
    (world) => {
      world.payload(world.a);
    },
  ],
  [
    600,
    (world) => {
      world.move(world.a, [A1, A2]);
    },
  ],
  [
    900,
    (world) => {
      world.handle(world.b, { type: 'rekey', withDh: true });
    },
  ],
  [
    1200,
    (world) => {
      world.handle(world.a, { type: 'reap-parameter', path: world.path(world.a), octets: Uint8Array.of(1, 2, 3) });
    },
  ],
  [
    1500,
    (world) => {
      world.handle(world.a, { type: 'close' });
    },
  ],
];
const END = 2000;

/** The same life every time, up to the packet that is sent as number `last`: that one does not arrive. */
function lived(last: number): World {
  const fast = { detectionMs: 30 };
  const world: World = new World({ seed: 3, a: fast, b: fast, filter: () => world.log.length <= last });
  for (const [at, act] of LIFE) {
    while (world.now < at && world.log.length <= last) world.run(world.now + 5);
    if (world.log.length > last) return world;
    act(world);
  }
  while (world.now < END && world.log.length <= last) world.run(world.now + 5);
  return world;
}

const history = lived(Number.POSITIVE_INFINITY).log;

/** What is vouched for by a signature: nobody but the sender can have made it. */
function vouched(packet: ReceivedPacket): string {
  const range = packet.type === 'R1' ? signedRange2(packet.octets) : signedRange(packet.octets);
  const signature = parameterOf(packet, packet.type === 'R1' ? 'HIP_SIGNATURE_2' : 'HIP_SIGNATURE')?.signature;
  return `${toHex(range)} ${toHex(signature ?? new Uint8Array(0))}`;
}

const genuine = new Set(history.map(({ packet }) => vouched(packet)));

/** One host in front of one packet of its life. */
class Scene {
  readonly #number: number;
  #world: World | undefined;

  constructor(number: number) {
    this.#number = number;
  }

  /** Hand it octets; what they reached, if they were acted on. */
  feed(octets: Uint8Array): string | undefined {
    const world = (this.#world ??= lived(this.#number));
    const sent = world.log[this.#number];
    if (sent === undefined) throw new Error('the life of an association does not repeat');
    const to = world.other(sent.from);
    const path = { local: sent.path.peer, peer: sent.path.local, carriage: 'raw' } as const;
    const before = stateOf(to);
    const name = to.association.state;
    const effects = world.deliver(to, octets, path);
    const parsed = parseHip(octets);
    const isActedOn = effects.some((effect) => !isRefusal(effect));
    if (stateOf(to) !== before) {
      if (!parsed.ok || !genuine.has(vouched(parsed.value))) throw new Error(`${name}: a forgery changed something`);
    }
    if (!isActedOn) return undefined;
    this.#world = undefined;
    return parsed.ok ? `${name} ${parsed.value.type}` : undefined;
  }

  forget(): void {
    this.#world = undefined;
  }
}

function stateOf({ association, sas }: End): string {
  const { state, path, peerLocators } = association;
  return JSON.stringify([state, path, peerLocators, [...sas.keys()]]);
}

function isRefusal({ type }: AssociationEffect): boolean {
  return type === 'drop' || type === 'parameter-problem';
}

const scenes = history.map((_, i) => new Scene(i));

export const hipAssociationTargets: Readonly<Record<string, Target>> = {
  'HIP association in every state': {
    run(octets) {
      const reached = scenes.flatMap((scene) => scene.feed(octets) ?? []);
      return reached[0] ?? false;
    },
    corpus: history.map(({ octets }) => octets),
    reaches: ['UNASSOCIATED I1', 'I1-SENT R1', 'UNASSOCIATED I2', 'I2-SENT R2', 'ESTABLISHED UPDATE'],
    isSlow: true,
    reset() {
      for (const scene of scenes) scene.forget();
    },
    repair(octets) {
      if (octets.length >= 40) writeChecksum(octets.subarray(0, Math.min(hipLength(octets), octets.length)), A1, B1);
    },
  },
};
