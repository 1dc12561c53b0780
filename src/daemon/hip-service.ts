import { espLength, SUITES } from '../esp/suites.ts';
import type { HostEvent } from '../host/events.ts';
import { HipHost } from '../host/hip-host.ts';
import type { HostLocator } from '../host/host-io.ts';
import type { Batch } from '../host/ports.ts';
import { HIP_DEFAULTS } from '../hip/settings.ts';
import type { HipSettings } from '../hip/settings.ts';
import { LociError, messageOf } from '../node/error.ts';
import { NativeEsp } from '../node/esp.ts';
import { nodeHipCrypto } from '../node/hip-crypto.ts';
import { HipShell } from '../node/hip-shell.ts';
import { HipSurface } from '../node/hip-surface.ts';
import type { NetlinkExchange } from '../node/netlink/message.ts';
import type { LocalLocator } from '../node/network-picture.ts';
import { RawReceiver } from '../node/packets.ts';
import type { RawSender } from '../node/packets.ts';
import { PuzzleSolver } from '../node/puzzle-solver.ts';
import { systemRandom } from '../node/random.ts';
import type { TunDevice } from '../node/tun.ts';
import { UdpEndpoint } from '../node/udp.ts';
import { formatAddress } from '../wire/address.ts';
import { ESP, HIP, IPV6_HEADER_LENGTH, IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import type { Instant } from '../wire/time.ts';
import type { Config, HipConfig } from './config.ts';
import { ownIdentityOf, readHipKeyFile, readHostsFile } from './hip-keys.ts';
import { KeyLog } from './key-log.ts';
import type { Log } from './log.ts';
import { linkOf } from './selection.ts';
import { settingsOf } from './settings.ts';

const UDP_HEADER_LENGTH = 8;

export interface HipServiceOptions {
  readonly config: Config;
  readonly log: Log;
  readonly tun: TunDevice;
  readonly route: NetlinkExchange;
  readonly sender: RawSender;
  readonly locators: readonly LocalLocator[];
  readonly now: () => Instant;
  readonly onEvent: (event: HostEvent) => void;
}

/** HIP in a daemon: identity, peers, sockets and what programs see. */
export class HipService {
  readonly host: HipHost;
  readonly keyLog: KeyLog | undefined;
  readonly #shell: HipShell;
  readonly #options: HipServiceOptions;
  readonly #closers: (() => void)[] = [];

  constructor(options: HipServiceOptions) {
    this.#options = options;
    try {
      const { config, log, tun, route, sender, locators, now, onEvent } = options;
      const identity = ownIdentityOf(readHipKeyFile(config.hip.keyFile));
      const smallest = Math.min(9_000, ...locators.map(({ mtu }) => mtu));
      const { rtoMinMs } = config.interception;
      this.keyLog = config.hip.keylog === undefined ? undefined : this.#open(new KeyLog(config.hip.keylog));
      const udp = config.hip.usesUdp ? this.#open(UdpEndpoint.open({ mark: config.interception.mark })) : undefined;
      const solver = new PuzzleSolver();
      this.#closers.push(() => void solver.close());
      const esp = new NativeEsp();
      this.host = new HipHost({
        crypto: nodeHipCrypto,
        random: systemRandom,
        settings: hipSettingsOf(config.hip),
        detection: settingsOf(config),
        identity,
        firstGeneration: BigInt(Date.now()),
        esp,
        socket: ({ carriage, local }) => (carriage === 'udp' ? (udp?.descriptor ?? -1) : sender.descriptor(local)),
      });
      const ports = {
        tun,
        esp,
        hip: this.#open(RawReceiver.open(HIP)),
        raw: this.#open(RawReceiver.open(ESP)),
        udp,
        sender,
        solve: (task: Parameters<PuzzleSolver['solve']>[0], withinMs: number) =>
          solver.solve(task, AbortSignal.timeout(Math.max(0, Math.ceil(withinMs)))),
        now,
        onEvent,
        onKeys: (keys: Parameters<KeyLog['write']>[0]) => this.keyLog?.write(keys),
      };
      this.#shell = this.#open(new HipShell(this.host, ports, smallest));
      const mtu = hipMtu(config.hip, smallest);
      this.#open(new HipSurface({ route, tunIndex: tun.index, hit: identity.hit, mtu, rtoMinMs }));
      this.reload();
      log.info({ hit: formatAddress(identity.hit), mtu }, 'programs may talk to HITs');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The packets of programs to HITs, out of what came from the TUN device. */
  readonly outbound = (from: Batch, count: number): void => {
    this.#shell.outbound(from, count);
  };

  /** Read the hosts file again; one with a mistake changes nothing. */
  reload(): void {
    const { config, log } = this.#options;
    try {
      this.#shell.input({ type: 'peers', peers: readHostsFile(config.hip.hostsFile) });
    } catch (error) {
      if (!(error instanceof LociError)) throw error;
      log.warn({ reason: messageOf(error) }, 'no peers from the hosts file');
    }
  }

  /** The addresses of this host changed. Those that were formed for Shim6 serve only where there are no others. */
  follow(locators: readonly LocalLocator[]): void {
    const present = locators.filter((locator) => !locator.dadFailed);
    const others = present.filter((locator) => !locator.ours);
    const usable = others.length > 0 ? others : present;
    this.#shell.input({ type: 'locators', locators: usable.map((locator) => this.#locator(locator)) });
  }

  close(): void {
    for (const close of this.#closers.reverse()) close();
  }

  #locator(locator: LocalLocator): HostLocator {
    return {
      address: locator.address,
      state: locator.state,
      operational: locator.linkUp,
      interface: locator.interface,
      ...linkOf(this.#options.config, locator.interface),
      parameters: undefined,
    };
  }

  #open<T extends { close(): void }>(opened: T): T {
    this.#closers.push(() => {
      opened.close();
    });
    return opened;
  }
}

/** The largest packet to a HIT that still fits a link of this MTU: BEET drops the inner IPv6 header, ESP adds its own. */
export function hipMtu({ espSuites, usesUdp }: HipConfig, linkMtu: number): number {
  const room = linkMtu - IPV6_HEADER_LENGTH - (usesUdp ? UDP_HEADER_LENGTH : 0);
  const largest = (suite: (typeof espSuites)[number]): number => {
    let payload = room;
    while (espLength(SUITES[suite], payload) > room) payload--;
    return payload;
  };
  return Math.max(IPV6_MINIMUM_MTU, IPV6_HEADER_LENGTH + Math.min(...espSuites.map(largest)));
}

function hipSettingsOf(hip: HipConfig): HipSettings {
  return {
    ...HIP_DEFAULTS,
    dhGroups: hip.dhGroups,
    espSuites: hip.espSuites.map((id) => SUITES[id]),
    maxPuzzleK: hip.puzzleLimit,
    offersUdp: hip.usesUdp,
    hasShortNumbers: (peer) => hip.peersWithShortNumbers.includes(formatAddress(peer)),
  };
}
