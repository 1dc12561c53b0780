import { addon } from './addon.ts';
import { systemError } from './error.ts';

/** An open descriptor of the addon. After `close` it reads as nothing and never calls back. */
export class Descriptor {
  #fd: number;

  /** `result` is what the addon's open function returned while doing `what`. */
  constructor(result: number, what: string) {
    if (result < 0) throw systemError(-result, what);
    this.#fd = result;
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Packets dropped because they did not fit their slot. */
  get dropped(): number {
    return this.#fd < 0 ? 0 : Math.max(0, addon().dropped(this.#fd));
  }

  /** Call back in every turn of the event loop in which something can be read; a second call replaces the callback. */
  onReadable(callback: () => void): void {
    if (this.#fd < 0) return;
    const result = addon().watch(this.#fd, callback);
    if (result < 0) throw systemError(-result, 'cannot watch a descriptor');
  }

  /** Call back no more, or again. Only after `onReadable`. */
  pause(paused: boolean): void {
    if (this.#fd >= 0) addon().pause(this.#fd, paused ? 1 : 0);
  }

  /** Let the process end although this descriptor is watched. Only after `onReadable`. */
  unref(): void {
    if (this.#fd >= 0) addon().unref(this.#fd);
  }

  close(): void {
    if (this.#fd < 0) return;
    addon().close(this.#fd);
    this.#fd = -1;
  }
}
