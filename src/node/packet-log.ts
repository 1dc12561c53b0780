import { LociError } from './error.ts';
import { bindLog, reportAtOnce } from './netlink/nf-log.ts';
import { NetlinkSocket } from './netlink.ts';

/** Ours is the first of these groups that no other program has. */
const FIRST_GROUP = 533;
const GROUPS = 16;
const TAKEN: readonly string[] = ['EBUSY', 'EPERM'];

/** Tells when a rule with the expression `log` sees a packet: by the kernel's nfnetlink_log, and nothing but that it did. */
export class PacketLog {
  readonly group: number;
  readonly #socket: NetlinkSocket;
  #callback: (() => void) | undefined;
  #isWatched = false;

  private constructor(socket: NetlinkSocket, group: number) {
    this.#socket = socket;
    this.group = group;
  }

  /** `undefined` where the kernel has no nfnetlink_log. */
  static open(): PacketLog | undefined {
    const socket = NetlinkSocket.open('netfilter');
    try {
      const group = bound(socket);
      if (group !== undefined) return new PacketLog(socket, group);
    } catch (error) {
      if (!(error instanceof LociError)) throw error; // else as on a kernel without it
    }
    socket.close();
    return undefined;
  }

  /** Call back when the next packet is logged, or was since the last `forget`. */
  once(callback: () => void): void {
    this.#callback = callback;
    if (this.#isWatched) this.#socket.pause(false);
    else {
      this.#isWatched = true;
      this.#socket.onWaiting(() => {
        this.#socket.pause(true);
        const woken = this.#callback;
        this.#callback = undefined;
        woken?.();
      });
    }
  }

  /** What was logged up to now calls nobody any more. */
  forget(): void {
    this.#socket.discard();
  }

  close(): void {
    this.#socket.close();
  }
}

function bound(socket: NetlinkSocket): number | undefined {
  for (let group = FIRST_GROUP; group < FIRST_GROUP + GROUPS; group++) {
    try {
      socket.exchange(bindLog(group));
    } catch (error) {
      if (error instanceof LociError && TAKEN.includes(error.code)) continue;
      throw error;
    }
    socket.exchange(reportAtOnce(group));
    return group;
  }
  return undefined;
}
