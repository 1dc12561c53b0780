import raw from 'raw-socket';
import type { RawSocket } from 'raw-socket';
import { formatAddress, isLinkLocal } from '../../wire/address.ts';
import { ICMPV6, SHIM6 } from '../../wire/ipv6.ts';
import { errorAbout, HIP, packetOf } from './probe.ts';
import type { Outcome, Probe } from './probe.ts';

/** raw(7): the whole packet is ours, its source and hop limit too. */
const IPPROTO_RAW = 255;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SO_MARK = 36;
const LARGEST = 65_536;

/** A lost packet is not a firewall: each probe is sent so often, so far apart. */
const ATTEMPTS = 3;
const APART_MS = 400;
const ANSWER_WITHIN_MS = 1_600;

interface Waiting {
  readonly probe: Probe;
  readonly sentAt: number;
  readonly settle: (outcome: Outcome) => void;
}

/**
 * Sends probes from any of this host's addresses by any of its interfaces, whatever its routing rules say, and waits for what
 * comes back. raw-socket can neither bind to an address nor tell where a packet came in, so the IPv6 header is written here,
 * the sending sockets are bound to their interfaces, and answers are known by their nonces.
 */
export class Prober {
  readonly #mark: number;
  readonly #senders = new Map<string, RawSocket>();
  readonly #receivers: RawSocket[] = [];
  readonly #waiting = new Set<Waiting>();

  /** Packets carry `mark`, so that nothing diverts them. Throws what the system refuses. */
  constructor(mark: number) {
    this.#mark = mark;
    for (const protocol of [ICMPV6, SHIM6, HIP]) this.#receivers.push(this.#receiver(protocol));
  }

  /** Send a probe until something comes back. */
  async probe(probe: Probe): Promise<Outcome> {
    const timers: NodeJS.Timeout[] = [];
    const outcome = await new Promise<Outcome>((resolve) => {
      const waiting = { probe, sentAt: performance.now(), settle: resolve };
      this.#waiting.add(waiting);
      const attempt = (): void => {
        this.#send(probe, (reason) => {
          resolve({ kind: 'refused', reason });
        });
      };
      attempt();
      for (let i = 1; i < ATTEMPTS; i++) timers.push(setTimeout(attempt, i * APART_MS));
      timers.push(
        setTimeout(() => {
          resolve({ kind: 'silence' });
        }, ANSWER_WITHIN_MS),
      );
    });
    for (const timer of timers) clearTimeout(timer);
    for (const waiting of this.#waiting) if (waiting.probe === probe) this.#waiting.delete(waiting);
    return outcome;
  }

  close(): void {
    for (const socket of [...this.#receivers, ...this.#senders.values()]) socket.close();
  }

  #send(probe: Probe, refused: (reason: string) => void): void {
    const packet = Buffer.from(packetOf(probe));
    const text = formatAddress(probe.destination);
    const destination = isLinkLocal(probe.destination) ? `${text}%${probe.interface}` : text;
    try {
      this.#sender(probe.interface).send(packet, 0, packet.length, destination, (error) => {
        if (error !== null) refused(error.message);
      });
    } catch (error) {
      refused(error instanceof Error ? error.message : String(error));
    }
  }

  #sender(name: string): RawSocket {
    const known = this.#senders.get(name);
    if (known !== undefined) return known;
    const socket = raw.createSocket({ addressFamily: raw.AddressFamily.IPv6, protocol: IPPROTO_RAW });
    socket.on('error', () => undefined); // a probe that was not sent is not answered, and told as such
    const device = Buffer.from(`${name}\0`);
    socket.setOption(SOL_SOCKET, SO_BINDTODEVICE, device, device.length);
    socket.setOption(SOL_SOCKET, SO_MARK, this.#mark);
    this.#senders.set(name, socket);
    return socket;
  }

  #receiver(protocol: number): RawSocket {
    const socket = raw.createSocket({ addressFamily: raw.AddressFamily.IPv6, protocol, bufferSize: LARGEST });
    socket.on('error', () => undefined); // what is not heard is silence
    socket.on('message', (octets: Buffer, from: string) => {
      for (const waiting of this.#waiting) this.#hear(waiting, protocol, octets, from);
    });
    return socket;
  }

  #hear({ probe, sentAt, settle }: Waiting, protocol: number, octets: Uint8Array, from: string): void {
    if (protocol === probe.protocol && probe.isAnswer(octets)) {
      settle({ kind: 'answer', from, afterMs: performance.now() - sentAt });
      return;
    }
    const error = protocol === ICMPV6 ? errorAbout(probe, octets) : undefined;
    if (error === undefined) return;
    const { type, code, parameter } = error;
    settle({ kind: 'error', from, type, code, parameter });
  }
}
