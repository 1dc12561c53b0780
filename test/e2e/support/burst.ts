/**
 * A program like any other: sends `{local, peer, port, count, size?, interval?}`: so many datagrams from LOCAL, one every
 * `interval` ms; from a port of its own, or from `from`. Says `sent` when the last one is out.
 */
import { createSocket } from 'node:dgram';
import { z } from 'zod';
import { onCommand, say } from '../../../src/cli/demo/lines.ts';

const Command = z.object({
  local: z.string(),
  peer: z.string(),
  port: z.number(),
  count: z.number(),
  size: z.number().default(16),
  interval: z.number().default(5),
  from: z.number().default(0),
});

onCommand((command) => {
  const { local, peer, port, count, size, interval, from } = Command.parse(command);
  const socket = createSocket({ type: 'udp6', reuseAddr: true });
  let left = count;
  socket.on('error', () => undefined); // nobody may be at home at that port
  socket.bind(from, local, () => {
    const timer = setInterval(() => {
      socket.send(Buffer.alloc(size), port, peer, () => undefined);
      if (--left > 0) return;
      clearInterval(timer);
      setTimeout(() => {
        socket.close();
        say('sent');
      }, interval);
    }, interval);
  });
});
say('ready');
