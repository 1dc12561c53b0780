/**
 * REAP over HIP, a second time: written from docs/reap-over-hip.md alone and without anything of `src/`, so that a mistake in
 * one of the two shows.
 */
const REPORT = 40;
const FIRST_REPORT = 12;
const STATES = ['Operational', 'Exploring', 'InboundOk'];

export interface Report {
  /** 32 hexadecimal digits each. */
  readonly source: string;
  readonly destination: string;
  readonly nonce: number;
  readonly data: number;
}

export interface Frame {
  readonly counter: number;
  readonly type: 'Keepalive' | 'Probe';
  readonly pathTest: boolean;
  readonly state: string;
  readonly sent: readonly Report[];
  readonly received: readonly Report[];
}

/** The contents of REAP_CARRIER; `undefined` for what is to be dropped. */
export function decode(contents: Uint8Array): Frame | undefined {
  if (contents.length < 8) return undefined;
  const view = new DataView(contents.buffer, contents.byteOffset, contents.byteLength);
  const counter = view.getUint32(0);
  const type = view.getUint8(4);
  if (type === 66) {
    if (contents.length !== 8) return undefined;
    return { counter, type: 'Keepalive', pathTest: false, state: '', sent: [], received: [] };
  }
  if (type !== 67 || contents.length < FIRST_REPORT) return undefined;
  const counts = view.getUint8(8);
  const [sent, received] = [counts & 15, counts >>> 4];
  const state = STATES[view.getUint8(9) >>> 6];
  if (sent === 0 || state === undefined || contents.length !== FIRST_REPORT + REPORT * (sent + received)) {
    return undefined;
  }
  const report = (index: number): Report => {
    const at = FIRST_REPORT + REPORT * index;
    return {
      source: hexOf(contents.subarray(at, at + 16)),
      destination: hexOf(contents.subarray(at + 16, at + 32)),
      nonce: view.getUint32(at + 32),
      data: view.getUint32(at + 36),
    };
  };
  const reports = Array.from({ length: sent + received }, (_, index) => report(index));
  return {
    counter,
    type: 'Probe',
    pathTest: (view.getUint8(5) & 0x80) !== 0,
    state,
    sent: reports.slice(0, sent),
    received: reports.slice(sent),
  };
}

export function encode({ counter, type, pathTest, state, sent, received }: Frame): Uint8Array {
  const reports = [...sent, ...received];
  const contents = new Uint8Array(type === 'Keepalive' ? 8 : FIRST_REPORT + REPORT * reports.length);
  const view = new DataView(contents.buffer);
  view.setUint32(0, counter);
  view.setUint8(4, type === 'Keepalive' ? 66 : 67);
  if (type === 'Keepalive') return contents;
  view.setUint8(5, pathTest ? 0x80 : 0);
  view.setUint8(8, received.length * 16 + sent.length);
  view.setUint8(9, STATES.indexOf(state) * 64);
  for (const [index, { source, destination, nonce, data }] of reports.entries()) {
    const at = FIRST_REPORT + REPORT * index;
    contents.set(octetsOf(source), at);
    contents.set(octetsOf(destination), at + 16);
    view.setUint32(at + 32, nonce);
    view.setUint32(at + 36, data);
  }
  return contents;
}

function hexOf(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join('');
}

function octetsOf(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
