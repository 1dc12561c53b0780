import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Signer } from '../crypto/ports.ts';
import { Host } from '../host/host.ts';
import type { HostConfiguration } from '../host/host.ts';
import type { HostEvent } from '../host/events.ts';
import type { HostLocator } from '../host/host-io.ts';
import type { RememberedContext } from '../host/wish.ts';
import { nodeCrypto } from '../node/crypto.ts';
import { errorText, LociError, messageOf } from '../node/error.ts';
import { Interception } from '../node/interception.ts';
import { DEFAULT_NUMBERS } from '../node/interception-numbers.ts';
import type { InterceptionNumbers } from '../node/interception-numbers.ts';
import { LocatorMonitor } from '../node/locators.ts';
import type { LocatorChange } from '../node/locators.ts';
import { NetlinkSocket } from '../node/netlink.ts';
import type { LocalLocator } from '../node/network-picture.ts';
import { PacketObservation } from '../node/nftables.ts';
import type { CountVisitor } from '../node/nftables.ts';
import { Observation } from '../node/observation.ts';
import { OwnAddresses } from '../node/own-addresses.ts';
import { Icmpv6Socket, RawReceiver, RawSender } from '../node/packets.ts';
import { CONTROL_BUT_I1, I1_ONLY, PAYLOAD_ONLY } from '../node/packet-filter.ts';
import { systemRandom } from '../node/random.ts';
import { Shell } from '../node/shell.ts';
import { TunDevice } from '../node/tun.ts';
import { prefixOf, sameOctets } from '../wire/address.ts';
import { SHIM6 } from '../wire/ipv6.ts';
import type { Instant } from '../wire/time.ts';
import type { Config, PolicyRule } from './config.ts';
import { Discovery } from './discovery.ts';
import type { Sight } from './discovery.ts';
import { takeHandover, writeHandover } from './handover.ts';
import { HipService } from './hip-service.ts';
import { identifierFor, identitiesOf } from './identity.ts';
import type { KeyedIdentity } from './identity.ts';
import { signerOf } from './keys.ts';
import type { Log } from './log.ts';
import { MetricsServer } from './metrics-server.ts';
import { PeerRules } from './peer-rules.ts';
import { Policy } from './policy.ts';
import type { Control } from './protocol.ts';
import { KernelRouting, tunMtu } from './routing.ts';
import { interfaceSelected, linkOf } from './selection.ts';
import { settingsOf } from './settings.ts';
import { Silence } from './silence.ts';
import { DaemonView } from './view.ts';

/** A context whose addresses have not come back by then is left to R1bis (RFC 5533 §7.17). */
const RESUME_WITHIN_MS = 10_000;

/** A daemon at work. */
export interface Running {
  readonly control: Control;
  reload(config: Config): void;
  /** Leave to the next start what it needs to go on; before `close`, and not by a daemon that broke down. */
  handOver(): void;
  close(): Promise<void>;
}

/** Milliseconds on CLOCK_MONOTONIC. */
export function monotonic(): Instant {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** V8 lets the space of short-lived objects grow with their number: a flood of packets would make the process swell. */
const STEADY_YOUNG_GENERATION = '--semi-space-growth-factor=1';

/** Take over the machine's Shim6 traffic as `config` says. Throws a `LociError`, and leaves the machine as it was then. */
export async function run(config: Config, log: Log): Promise<Running> {
  hurry(log);
  const identities = await identitiesOf(config, log);
  const closers: (() => void)[] = [];
  try {
    const server =
      config.metricsSocket === undefined ? undefined : await MetricsServer.claim(config.metricsSocket, log);
    if (server !== undefined) closers.push(() => void server.close());
    const daemon = new Daemon(config, log, identities, closers);
    if (server !== undefined) await daemon.measure(server);
    setFlagsFromString(STEADY_YOUNG_GENERATION); // from now on: while starting, growth saves time
    return daemon;
  } catch (error) {
    for (const close of closers.reverse()) close();
    throw error;
  }
}

/** A busy machine shall not make its peers look silent: go before ordinary programs, where that is allowed. */
function hurry(log: Log): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch (error) {
    log.debug({ reason: messageOf(error) }, 'runs at ordinary priority');
  }
}

class Daemon implements Running {
  readonly control: Control;
  readonly #config: Config;
  readonly #log: Log;
  readonly #identities: readonly KeyedIdentity[];
  readonly #closers: (() => void)[];
  readonly #monitor: LocatorMonitor;
  readonly #own: OwnAddresses;
  readonly #interception: Interception;
  readonly #routing: KernelRouting;
  readonly #counters: PacketObservation;
  readonly #sender: RawSender;
  readonly #hip: HipService | undefined;
  readonly #host: Host;
  readonly #shell: Shell;
  readonly #silence: Silence;
  /** As at the start: the kernel counts their packets apart. */
  readonly #rules: readonly PolicyRule[];
  readonly #view: DaemonView;
  readonly #handoverFile: string;
  readonly #resumableUntil: Instant = monotonic() + RESUME_WITHIN_MS;
  /** Contexts of the last run that wait for their addresses. */
  #remembered: readonly RememberedContext[];
  #policy: Policy;
  #peers: PeerRules;

  constructor(config: Config, log: Log, identities: readonly KeyedIdentity[], closers: (() => void)[]) {
    this.#config = config;
    this.#log = log;
    this.#identities = identities;
    this.#closers = closers;
    this.#policy = new Policy(config.policy);
    this.#rules = config.policy.rules;
    this.#peers = new PeerRules(config.peers, config.policy);
    this.#handoverFile = join(config.stateDirectory, 'handover.json');
    const route = this.#open(NetlinkSocket.open('route'));
    const monitor = this.#open(LocatorMonitor.open((name) => interfaceSelected(config, name), monotonic));
    this.#monitor = monitor;
    if (this.#locators().length === 0) {
      throw new LociError(
        'addresses',
        'no interface has an IPv6 address with a /64 prefix; wait for a router advertisement, or set one with ip addr',
      );
    }
    const mtu = tunMtu(this.#locators());
    const tun = this.#open(TunDevice.open(config.tun.name, mtu));
    const onProblem = (problem: LociError): void => {
      log.warn({ code: problem.code }, problem.message);
    };
    this.#interception = this.#open(
      Interception.open({
        route,
        picture: monitor.picture,
        tunIndex: tun.index,
        numbers: numbersOf(config),
        rtoMinMs: config.interception.rtoMinMs,
        mtu: () => tunMtu(this.#locators()),
        onProblem,
      }),
    );
    const handover = takeHandover(this.#handoverFile, log);
    this.#remembered = handover.contexts;
    this.#own = this.#open(
      new OwnAddresses({
        route,
        picture: monitor.picture,
        identities,
        verified: handover.identifiers,
        onProblem,
      }),
    );
    this.#counters = this.#open(
      PacketObservation.open({
        tunIndex: tun.index,
        mark: config.interception.mark,
        exemptPorts: config.policy.exemptPorts,
        classes: this.#policy.classes,
      }),
    );
    this.#routing = new KernelRouting(this.#interception, () => this.#locators());
    const receiver = this.#open(RawReceiver.open(SHIM6, PAYLOAD_ONLY));
    const control = this.#open(RawReceiver.open(SHIM6, CONTROL_BUT_I1));
    const initiators = this.#open(RawReceiver.open(SHIM6, I1_ONLY));
    const icmp = this.#open(Icmpv6Socket.open());
    this.#sender = this.#open(new RawSender(config.interception.mark));
    const onEvent = (event: HostEvent): void => {
      this.#tell(event);
    };
    if (config.hip.enabled) {
      const around = { tun, route, sender: this.#sender, locators: this.#locators(), now: monotonic, onEvent };
      this.#hip = this.#open(new HipService({ config, log, ...around }));
    }
    const settings = settingsOf(config);
    this.#host = new Host(
      {
        crypto: nodeCrypto,
        random: systemRandom,
        ...signersOf(identities),
        settings,
        policy: {
          admits: (approach) => this.#peers.admits(approach),
          announces: (peer, locator) => this.#peers.announces(peer, locator),
        },
      },
      monotonic(),
    );
    this.#silence = new Silence(this.#counters, this.#host.sessions.peers);
    this.#shell = this.#open(
      new Shell(
        this.#host,
        {
          tun,
          receiver,
          control,
          initiators,
          correspondents: (visit) => {
            this.#counters.seen(visit);
          },
          icmp,
          sender: this.#sender,
          toHits: this.#hip?.outbound,
          observation: new Observation(this.#counters),
          routing: this.#routing,
          now: monotonic,
          onEvent,
        },
        mtu + 8,
      ),
    );
    this.#view = new DaemonView(config.profile, this.#host, this.#shell, monotonic, this.#hip);
    this.control = this.#view;
    monitor.onChange((change) => {
      this.#follow(change);
    });
    this.#follow({ locators: monitor.locators, departed: [] });
    if (!this.#counters.canRest)
      log.info({}, 'the kernel has no nfnetlink_log: locid wakes up 50 times a second also while nothing is sent');
    this.#open(new Discovery(this.#counters, () => this.#discover())).look();
  }

  /** Let metrics be read. Without this nothing is counted for them, and their library is not loaded. */
  async measure(server: MetricsServer): Promise<void> {
    const { Metrics } = await import('./metrics.ts');
    const metrics = new Metrics({ host: this.#host, shell: this.#shell });
    this.#view.subscribe((event) => {
      metrics.count(event);
    });
    server.serve(metrics);
  }

  reload(config: Config): void {
    this.#policy = new Policy({ ...config.policy, rules: this.#rules });
    this.#peers = new PeerRules(config.peers, config.policy);
    this.#host.configure(settingsOf(config));
    this.#view.reconfigured(config.profile);
    this.#interception.setRtoMin(config.interception.rtoMinMs);
    this.#hip?.reload();
  }

  close(): Promise<void> {
    for (const close of this.#closers.reverse()) close();
    return Promise.resolve();
  }

  /** A daemon that starts within a minute goes on with the contexts, without another duplicate address detection. */
  handOver(): void {
    const usable = this.#own.all.filter((own) => own.state === 'preferred' || own.state === 'deprecated');
    try {
      writeHandover(this.#handoverFile, {
        contexts: this.#host.remember(),
        identifiers: usable.map((own) => own.address),
      });
    } catch (error) {
      this.#log.warn({ reason: errorText(error) }, 'the next start will be without the contexts of this run');
    }
  }

  /** Contexts of the last run go on as soon as their pair can be used again. */
  #resume(): void {
    if (this.#remembered.length === 0) return;
    if (monotonic() > this.#resumableUntil) this.#remembered = [];
    this.#remembered = this.#remembered.filter((memory) => {
      const own = this.#host.locators.find((locator) => sameOctets(locator.address, memory.pair.local));
      if (own?.operational !== true || own.state === 'tentative') return true;
      this.#shell.resume(memory);
      return false;
    });
  }

  #open<T extends { close(): void }>(opened: T): T {
    this.#closers.push(() => {
      opened.close();
    });
    return opened;
  }

  #locators(): LocalLocator[] {
    return this.#monitor.locators;
  }

  /** Links, addresses or routes changed. */
  #follow(change: LocatorChange): void {
    const present = this.#hostLocators(change.locators);
    const isLoss = this.#host.locators.some(
      (before) =>
        before.operational && !present.some((now) => now.operational && sameOctets(now.address, before.address)),
    );
    if (isLoss) this.#shell.input({ type: 'locators', locators: present }); // before anything that takes time
    this.#own.update(change);
    const ours = change.locators.filter((locator) => this.#isOurs(locator));
    this.#interception.setLocators(this.#hip === undefined ? ours : change.locators);
    this.#hip?.follow(change.locators);
    this.#routing.follow();
    for (const gone of change.departed) this.#sender.release(gone.address);
    const locators = this.#hostLocators(change.locators);
    this.#counters.setOwn(locators.map((locator) => locator.address));
    this.#shell.input({ type: 'locators', locators });
    this.#resume();
  }

  #hostLocators(locators: readonly LocalLocator[]): HostLocator[] {
    return locators.filter((locator) => this.#isOurs(locator)).flatMap((locator) => this.#hostLocator(locator));
  }

  #isOurs(locator: LocalLocator): boolean {
    return this.#own.all.some((own) => own.index === locator.index && sameOctets(own.address, locator.address));
  }

  #hostLocator(locator: LocalLocator): HostLocator[] {
    const own = this.#own.all.find((one) => sameOctets(one.address, locator.address));
    const key = this.#identities.find(({ name }) => name === own?.identity)?.key;
    const identifier = own && key && identifierFor(key, prefixOf(own.address), own.collisionCount);
    if (identifier === undefined || locator.dadFailed) return [];
    return [
      {
        address: locator.address,
        state: locator.state,
        operational: locator.linkUp,
        interface: locator.interface,
        ...linkOf(this.#config, locator.interface),
        parameters: identifier.parameters,
        method: key?.kind ?? 'cga',
        ...(own?.identity !== undefined && { identity: own.identity }),
      },
    ];
  }

  /** Which pairs without a context have enough traffic for one? How many packets there were, and whether answers are awaited. */
  #discover(): Sight {
    const now = monotonic();
    let packetsInAll = 0;
    const consider =
      (rule?: number): CountVisitor =>
      (octets, at, packets, bytes) => {
        packetsInAll += packets;
        this.#consider(octets, at, packets, bytes, now, rule);
      };
    this.#counters.seen(consider());
    for (const rule of this.#policy.counted) this.#counters.seenOf(rule, consider(rule));
    for (const ulids of this.#silence.unanswered(now)) this.#shell.input({ type: 'unanswered', ulids });
    return { packets: packetsInAll, isListening: this.#silence.isListening };
  }

  #consider(octets: Uint8Array, at: number, packets: number, bytes: number, now: Instant, rule?: number): void {
    const traffic = { bytes, ...(rule === undefined ? {} : { rule }) };
    const ulids = { local: octets.slice(at, at + 16), peer: octets.slice(at + 16, at + 32) };
    const context = this.#host.contexts.of(ulids);
    if (context?.context.state !== 'ESTABLISHED') this.#silence.sent(ulids, packets, rule);
    if (!this.#policy.isDue(ulids, packets, now, traffic) || context !== undefined) return; // it counts in any case
    if (!this.#peers.admits({ peer: ulids.peer })) return;
    this.#shell.input({ type: 'open', ulids });
  }

  #tell(event: HostEvent): void {
    const { event: what, ...fields } = event;
    if (what === 'warning' || what === 'selected' || what === 'suspect') this.#log.info(fields, what);
    else this.#log.debug(fields, what);
    this.#view.publish(event);
  }
}

/** The numbers of a configuration, as interception takes them. */
export function numbersOf({ interception }: Config): InterceptionNumbers {
  return {
    ...DEFAULT_NUMBERS,
    divertPreference: interception.divertPreference,
    divertTable: interception.table,
    locatorPreference: interception.locatorPreference,
    locatorTable: interception.locatorTable,
    mark: interception.mark,
  };
}

/** The keys that sign for the identities. */
function signersOf(identities: readonly KeyedIdentity[]): Pick<HostConfiguration, 'signer' | 'signers'> {
  const signers = new Map<string, Signer>();
  for (const { name, key } of identities) {
    const signer = signerOf(key);
    if (name !== undefined && signer !== undefined) signers.set(name, signer);
  }
  const first = identities.find(({ name }) => name === undefined)?.key;
  return { signer: first && signerOf(first), signers };
}
