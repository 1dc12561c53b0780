/**
 * A program like any other: connects to ADDRESS PORT and sends MBIT megabits per second of data made from SEED. It knows nothing of Loci.
 * What could not be sent in time is made up for, as fast as the connection takes it.
 */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { seededOctets } from './data.ts';
import { argument, monotonicNow, onCommand, say } from './lines.ts';

const CHUNK = 16_384;
const TICK_MS = 2;

const address = argument(0, 'ADDRESS');
const port = Number(argument(1, 'PORT'));
const octetsPerMs = (Number(argument(2, 'MBIT')) * 1e6) / 8 / 1e3;
const data = seededOctets(Number(argument(3, 'SEED')));

const hash = createHash('sha256');
const socket = connect({ host: address, port, noDelay: true });
let bytes = 0;
let start = 0;
let blocked = false;

function sendWhatIsDue(): void {
  const due = (monotonicNow() - start) * octetsPerMs;
  while (!blocked && bytes + CHUNK <= due) {
    const at = bytes % data.length;
    const chunk = data.subarray(at, Math.min(at + CHUNK, data.length));
    hash.update(chunk);
    bytes += chunk.length;
    blocked = !socket.write(chunk);
  }
}

const ends = (): object => ({
  local: `${String(socket.localAddress)} ${String(socket.localPort)}`,
  remote: `${String(socket.remoteAddress)} ${String(socket.remotePort)}`,
});

socket.on('drain', () => {
  blocked = false;
  sendWhatIsDue();
});
socket.on('error', (error) => {
  say('failed', { why: error.message });
});
socket.on('connect', () => {
  start = monotonicNow();
  const timer = setInterval(sendWhatIsDue, TICK_MS);
  say('ready', ends());
  onCommand(() => {
    clearInterval(timer);
    say('stopped', { at: monotonicNow(), bytes, sha256: hash.digest('hex'), ...ends() });
    socket.end();
  });
});
