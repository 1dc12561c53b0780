/** A program like any other: accepts connections on PORT, takes the SHA-256 of what comes, and remembers when it came. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { Instants } from './instants.ts';
import { argument, monotonicNow, numberIn, onCommand, say } from './lines.ts';

const port = Number(argument(0, 'PORT'));

const hash = createHash('sha256');
const arrivals = new Instants();
let bytes = 0;
let connections = 0;

createServer((socket) => {
  connections++;
  const ends = {
    local: `${String(socket.localAddress)} ${String(socket.localPort)}`,
    remote: `${String(socket.remoteAddress)} ${String(socket.remotePort)}`,
  };
  say('accepted', ends);
  socket.on('data', (chunk) => {
    if (arrivals.count === 0) say('flowing');
    arrivals.add(monotonicNow());
    bytes += chunk.length;
    hash.update(chunk);
  });
  socket.on('error', (error) => {
    say('failed', { why: error.message });
  });
  socket.on('end', () => {
    say('complete', { bytes, sha256: hash.copy().digest('hex'), connections, ...ends });
  });
}).listen(port, '::', () => {
  say('ready');
});
onCommand((command) => {
  say('received', { bytes, connections, ...arrivals.longestGap(numberIn(command, 'from'), numberIn(command, 'to')) });
});
