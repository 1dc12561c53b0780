declare module 'raw-socket' {
  import type { EventEmitter } from 'node:events';
  export interface RawSocket extends EventEmitter {
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      address: string,
      after: (error: Error | null, bytes: number) => void,
    ): this;
    setOption(level: number, option: number, value: number): void;
    setOption(level: number, option: number, value: Buffer, length: number): void;
    close(): this;
  }
  export function createSocket(options: { addressFamily: number; protocol: number; bufferSize?: number }): RawSocket;
  export const AddressFamily: { readonly IPv4: number; readonly IPv6: number };
}
