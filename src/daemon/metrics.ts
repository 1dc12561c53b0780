import { collectDefaultMetrics, Counter, Gauge, Histogram, openMetricsContentType, Registry } from 'prom-client';
import type { OpenMetricsContentType } from 'prom-client';
import type { HostEvent, Suspicion } from '../host/events.ts';
import type { Host } from '../host/host.ts';
import type { Shell } from '../node/shell.ts';
import { MESSAGE_TYPES } from '../shim6/message-codec.ts';
import { formatAddress } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';

/** A host at work, as far as metrics are taken of it. */
export interface Measured {
  readonly host: Pick<Host, 'drops' | 'locators'> & {
    readonly contexts: Iterable<{ readonly context: { readonly state: string }; readonly diverted: boolean }>;
  };
  readonly shell: Pick<Shell, 'packets' | 'control' | 'lag'>;
}

/** Series that exist before they first count, so that rates can be told from the start. */
const CAUSES: Readonly<Record<Suspicion, true>> = {
  'send-timeout': true,
  'address-lost': true,
  'send-error': true,
  icmp: true,
  'peer-exploring': true,
  'peer-broken': true,
  'address-deprecated': true,
  application: true,
};
const STATES = ['I1-SENT', 'I2-SENT', 'I2BIS-SENT', 'ESTABLISHED', 'E-FAILED', 'NO-SUPPORT'];
const PROBE_BUDGET = 'probe-budget';

const SWITCH_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60];
const RTT_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** prom-client watches the event loop with a timer of its own; this seldom it costs nothing, and its figures are left out. */
const SELDOM_MS = 3_600_000;

/**
 * What locid tells monitoring, in the form of OpenMetrics; the names are in docs/operating.md. Events are counted as they
 * come, everything else is read when somebody asks. No series is of one context or peer: their number is not in our hands.
 */
export class Metrics {
  readonly #registry = new Registry<OpenMetricsContentType>();
  readonly #measured: Measured;
  readonly #suspicions: Counter<'cause'>;
  readonly #failovers: Counter<'cause'>;
  readonly #returns: Counter;
  readonly #falseAlarms: Counter;
  readonly #switchSeconds: Histogram;
  readonly #rttSeconds: Histogram<'interface'>;
  /** Since when each context doubts its pair. */
  readonly #doubtedSince = new Map<string, Instant>();
  /** Interface by own address; forgotten when one changes. */
  readonly #interfaces = new Map<string, string>();

  constructor(measured: Measured) {
    this.#measured = measured;
    this.#registry.setContentType(openMetricsContentType);
    const registers = [this.#registry];
    this.#suspicions = new Counter({
      ...named('loci_suspicions', 'Times that the pair of a context was doubted.', registers),
      labelNames: ['cause'],
    });
    this.#falseAlarms = new Counter(named('loci_false_alarms', 'Doubted pairs that turned out to work.', registers));
    this.#failovers = new Counter({
      ...named('loci_failovers', 'Contexts that moved to another pair because theirs failed.', registers),
      labelNames: ['cause'],
    });
    this.#returns = new Counter(named('loci_returns', 'Contexts that went back to their preferred pair.', registers));
    for (const cause of Object.keys(CAUSES)) {
      this.#suspicions.inc({ cause }, 0);
      this.#failovers.inc({ cause }, 0);
    }
    this.#switchSeconds = new Histogram({
      ...named('loci_failover_seconds', 'From the first doubt about a pair to the choice of another.', registers),
      buckets: SWITCH_BUCKETS,
    });
    this.#rttSeconds = new Histogram({
      ...named('loci_path_rtt_seconds', 'Round trips of probes, by own interface.', registers),
      labelNames: ['interface'],
      buckets: RTT_BUCKETS,
    });
    this.#registerContexts(registers);
    this.#registerPackets(registers);
    this.#registerLag(registers);
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: SELDOM_MS });
    for (const { name } of this.#registry.getMetricsAsArray()) {
      if (name.startsWith('nodejs_eventloop_lag')) this.#registry.removeSingleMetric(name);
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Something happened at the host. */
  count(event: HostEvent): void {
    switch (event.event) {
      case 'suspect':
        this.#suspicions.inc({ cause: event.cause });
        if (!this.#doubtedSince.has(event.ulids.join())) this.#doubtedSince.set(event.ulids.join(), event.at);
        break;
      case 'false-alarm':
        this.#falseAlarms.inc();
        this.#doubtedSince.delete(event.ulids.join());
        break;
      case 'selected':
        if (event.why in CAUSES) this.#failovers.inc({ cause: event.why });
        else this.#returns.inc();
        this.#switched(event.ulids.join(), event.at);
        break;
      case 'confirmed':
        this.#rttSeconds.observe({ interface: this.#interfaceOf(event.pair[0]) }, event.rttMs / 1000);
        break;
      case 'reap':
        if (event.state === 'Operational') this.#doubtedSince.delete(event.ulids.join()); // after `selected`, if there is one
        break;
      case 'state':
        if (event.state === 'IDLE') this.#doubtedSince.delete(event.ulids.join());
        break;
      case 'locator':
        this.#interfaces.clear();
        break;
      default: // not counted
    }
  }

  #switched(ulids: string, at: Instant): void {
    const since = this.#doubtedSince.get(ulids);
    if (since === undefined) return;
    this.#doubtedSince.delete(ulids);
    this.#switchSeconds.observe((at - since) / 1000);
  }

  #interfaceOf(own: string): string {
    if (this.#interfaces.size === 0) {
      for (const { address, interface: name } of this.#measured.host.locators) {
        this.#interfaces.set(formatAddress(address), name);
      }
    }
    return this.#interfaces.get(own) ?? 'gone';
  }

  /** One walk over the contexts for all their gauges. */
  #registerContexts(registers: Registry<OpenMetricsContentType>[]): void {
    const { host } = this.#measured;
    const byState = new Gauge({
      ...named('loci_contexts', 'Contexts by state (RFC 5533 §6).', registers),
      labelNames: ['state'],
      collect: () => {
        const counts = new Map(STATES.map((state) => [state, 0]));
        let away = 0;
        for (const { context, diverted: isDiverted } of host.contexts) {
          counts.set(context.state, (counts.get(context.state) ?? 0) + 1);
          if (isDiverted) away++;
        }
        byState.reset();
        for (const [state, count] of counts) byState.set({ state }, count);
        diverted.set(away);
      },
    });
    const diverted = new Gauge(
      named('loci_contexts_diverted', 'Contexts whose packets go through the TUN device.', registers),
    );
  }

  #registerPackets(registers: Registry<OpenMetricsContentType>[]): void {
    const { host, shell } = this.#measured;
    const packets = new Counter({
      ...named('loci_packets', 'Packets that passed through Loci, by device and direction.', registers),
      labelNames: ['device', 'direction'],
      collect: () => {
        packets.reset();
        const { tunIn, tunOut, rawIn, rawOut } = shell.packets;
        packets.inc({ device: 'tun', direction: 'in' }, tunIn);
        packets.inc({ device: 'tun', direction: 'out' }, tunOut);
        packets.inc({ device: 'raw', direction: 'in' }, rawIn);
        packets.inc({ device: 'raw', direction: 'out' }, rawOut);
      },
    });
    const sendErrors = new Counter({
      ...named('loci_send_errors', 'Packets that the kernel refused to send.', registers),
      collect: () => {
        sendErrors.reset();
        sendErrors.inc(shell.packets.sendErrors);
      },
    });
    const drops = new Counter({
      ...named('loci_drops', 'What was received or due and not acted upon, by reason.', registers),
      labelNames: ['reason'],
      collect: () => {
        drops.reset();
        drops.inc({ reason: PROBE_BUDGET }, 0);
        for (const [reason, count] of host.drops) drops.inc({ reason }, count);
      },
    });
    const control = new Counter({
      ...named('loci_control_messages', 'Shim6 control messages by type and direction.', registers),
      labelNames: ['type', 'direction'],
      collect: () => {
        control.reset();
        for (const direction of ['in', 'out'] as const) {
          for (const [type, count] of messagesByName(shell.control[direction])) control.inc({ type, direction }, count);
        }
      },
    });
  }

  #registerLag(registers: Registry<OpenMetricsContentType>[]): void {
    const { lag } = this.#measured.shell;
    const last = new Gauge({
      ...named('loci_loop_lag_seconds', 'How late the loop woke up most recently.', registers),
      collect: () => {
        last.set(lag.last / 1000);
      },
    });
    const worst = new Gauge({
      ...named('loci_loop_lag_max_seconds', 'How late the loop woke up at worst since the start.', registers),
      collect: () => {
        worst.set(lag.max / 1000);
      },
    });
  }
}

interface Named {
  readonly name: string;
  readonly help: string;
  readonly registers: Registry<OpenMetricsContentType>[];
}

function named(name: string, help: string, registers: Registry<OpenMetricsContentType>[]): Named {
  return { name, help, registers };
}

/** Counts by the name of the message (RFC 5533 §5.3); numbers that have none are `unknown`. */
function messagesByName(byNumber: Float64Array): Map<string, number> {
  const names = new Map<number, string>(Object.entries(MESSAGE_TYPES).map(([name, type]) => [type, name]));
  const counts = new Map<string, number>([...names.values(), 'unknown'].map((name) => [name, 0]));
  byNumber.forEach((count, type) => {
    const name = names.get(type) ?? 'unknown';
    counts.set(name, (counts.get(name) ?? 0) + count);
  });
  return counts;
}
