/** Uniform in [0, below). */
export type Dice = (below: number) => number;

/** A small generator (mulberry32): the same seed gives the same run. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * below);
  };
}

const MAX_LENGTH = 4096;
/** Borders of lengths, counts and signs. */
const EDGES = [0, 1, 2, 3, 4, 7, 8, 0x0f, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xfe, 0xff];

type Mutation = (bytes: Uint8Array, roll: Dice, other: Uint8Array) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, roll) {
    return changed(bytes, roll, (octet) => octet ^ (1 << roll(8)));
  },
  function setToEdge(bytes, roll) {
    return changed(bytes, roll, () => EDGES[roll(EDGES.length)] ?? 0);
  },
  function setToAny(bytes, roll) {
    return changed(bytes, roll, () => roll(256));
  },
  function stepBy(bytes, roll) {
    return changed(bytes, roll, (octet) => octet + roll(17) - 8);
  },
  function truncate(bytes, roll) {
    return bytes.slice(0, roll(bytes.length + 1));
  },
  function append(bytes, roll) {
    return joined(
      bytes,
      Uint8Array.from({ length: 1 + roll(16) }, () => roll(256)),
    );
  },
  function remove(bytes, roll) {
    const [from, to] = range(bytes, roll);
    return joined(bytes.subarray(0, from), bytes.subarray(to));
  },
  function repeat(bytes, roll) {
    const [from, to] = range(bytes, roll);
    return joined(bytes.subarray(0, to), bytes.subarray(from));
  },
  function overwrite(bytes, roll, other) {
    const [from, to] = range(other, roll);
    const at = roll(bytes.length + 1);
    return joined(bytes.subarray(0, at), other.subarray(from, to), bytes.subarray(at + to - from));
  },
  function splice(bytes, roll, other) {
    return joined(bytes.subarray(0, roll(bytes.length + 1)), other.subarray(roll(other.length + 1)));
  },
];

/** One to four mutations of `bytes`, with material from `other`. */
export function mutate(bytes: Uint8Array, roll: Dice, other: Uint8Array): Uint8Array {
  let result = bytes;
  for (let left = 1 + roll(4); left > 0; left--) {
    result = MUTATIONS[roll(MUTATIONS.length)]?.(result, roll, other) ?? result;
  }
  return result.slice(0, MAX_LENGTH);
}

function changed(bytes: Uint8Array, roll: Dice, change: (octet: number) => number): Uint8Array {
  const copy = bytes.slice();
  const at = roll(copy.length);
  if (at < copy.length) copy[at] = change(copy[at] ?? 0);
  return copy;
}

function range(bytes: Uint8Array, roll: Dice): [number, number] {
  const from = roll(bytes.length + 1);
  return [from, from + roll(Math.min(bytes.length - from, 64) + 1)];
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
