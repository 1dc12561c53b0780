import { startProgram } from './program.ts';
import type { Report } from './program.ts';
import type { Topology } from './topology.ts';

const TCP_PORT = 7001;
const UDP_PORT = 7002;
const UDP_INTERVAL_MS = 1;
/** How long the end of the stream may take to arrive after the sender stopped. */
const COMPLETE_WITHIN_MS = 4_000;
/** A flow whose last octets are older than this when the sender stops has not resumed. */
const RESUMED_WITHIN_MS = 500;

export interface TcpResult {
  readonly bytes: number;
  readonly sha256Match: boolean;
  readonly sameConnection: boolean;
  readonly stallMs: number;
}

export interface UdpResult {
  readonly sent: number;
  readonly lost: number;
  readonly gapMs: number;
}

export interface TrafficResult {
  readonly tcp: TcpResult;
  readonly udp: UdpResult;
  /** Why this is not what a user would call uninterrupted service. */
  readonly faults: readonly string[];
}

/** Programs that use nothing of Loci and send from the client to an address of the server. */
export interface Traffic {
  /** The address that the kernel chose for the client's end. */
  readonly source: string;
  readonly pids: readonly number[];
  /** Stops the senders, and reports what the receivers saw since `from`. */
  finish(from: number): Promise<TrafficResult>;
  kill(): void;
}

/** Starts receivers and senders, and waits until both flow. */
export async function startTraffic(
  topology: Topology,
  server: string,
  { rate, seed }: { readonly rate: number; readonly seed: number },
): Promise<Traffic> {
  const at = (host: 'client' | 'server', name: string): { namespace: string; name: string } => ({
    namespace: topology.namespace(host),
    name,
  });
  const tcpReceiver = startProgram('tcp-receiver', [String(TCP_PORT)], at('server', 'TCP receiver'));
  const udpReceiver = startProgram('udp-receiver', [String(UDP_PORT)], at('server', 'UDP receiver'));
  const programs = [tcpReceiver, udpReceiver];
  const kill = (): void => {
    for (const program of programs) program.kill();
  };
  try {
    await Promise.all(programs.map((program) => program.next('ready')));
    const tcpSender = startProgram(
      'tcp-sender',
      [server, String(TCP_PORT), String(rate), String(seed)],
      at('client', 'TCP sender'),
    );
    const udpSender = startProgram(
      'udp-sender',
      [server, String(UDP_PORT), String(UDP_INTERVAL_MS)],
      at('client', 'UDP sender'),
    );
    programs.push(tcpSender, udpSender);
    const [connected, accepted] = await Promise.all([
      tcpSender.next('ready'),
      tcpReceiver.next('accepted'),
      udpSender.next('ready'),
    ]);
    await Promise.all([tcpReceiver.next('flowing'), udpReceiver.next('flowing')]);

    const finish = async (from: number): Promise<TrafficResult> => {
      udpSender.tell({});
      tcpSender.tell({});
      const [udpSent, tcpSent] = await Promise.all([udpSender.next('stopped'), tcpSender.next('stopped')]);
      const complete = await tcpReceiver.next('complete', COMPLETE_WITHIN_MS).catch(() => undefined);
      tcpReceiver.tell({ from, to: numberOf(tcpSent, 'at') });
      udpReceiver.tell({ from, to: numberOf(udpSent, 'at') });
      const [tcp, udp] = await Promise.all([tcpReceiver.next('received'), udpReceiver.next('received')]);
      const sha256Match = complete !== undefined && complete['sha256'] === tcpSent['sha256'];
      const sameConnection =
        tcp['connections'] === 1 &&
        connected['local'] === accepted['remote'] &&
        connected['remote'] === accepted['local'] &&
        tcpSent['local'] === connected['local'] &&
        tcpSent['remote'] === connected['remote'];
      const faults = [
        ...(sameConnection ? [] : ['the TCP connection is not the one that was opened']),
        ...(complete === undefined ? ['the TCP stream did not arrive to its end'] : []),
        ...(complete === undefined || sha256Match ? [] : ['the SHA-256 of the TCP stream differs']),
        ...(numberOf(udp, 'silentMs') < RESUMED_WITHIN_MS ? [] : ['UDP did not resume']),
        ...(numberOf(tcp, 'silentMs') < RESUMED_WITHIN_MS ? [] : ['TCP did not resume']),
      ];
      const sent = numberOf(udpSent, 'sent');
      return {
        tcp: { bytes: numberOf(tcp, 'bytes'), sha256Match, sameConnection, stallMs: tenths(numberOf(tcp, 'gapMs')) },
        udp: { sent, lost: sent - numberOf(udp, 'distinct'), gapMs: tenths(numberOf(udp, 'gapMs')) },
        faults,
      };
    };
    return { source: addressOf(connected, 'local'), pids: programs.map(({ pid }) => pid), finish, kill };
  } catch (error) {
    kill();
    throw error;
  }
}

function numberOf(report: Report, field: string): number {
  const value = report[field];
  if (typeof value !== 'number') throw new TypeError(`a program reported no number ${field}`);
  return value;
}

function addressOf(report: Report, field: string): string {
  return String(report[field]).split(' ')[0] ?? '';
}

/** Rounded to a tenth of a millisecond, which is finer than anything here is measured. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
