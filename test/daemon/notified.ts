import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A service manager: prints what comes in on the socket that is named as in NOTIFY_SOCKET, one JSON array of lines each. */
const RECEIVER = `
import json, os, socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\\0' + name[1:] if name[0] == '@' else name)
if name[0] != '@': os.chmod(name, 0o666)
print('[]', flush=True)
while True:
    print(json.dumps(s.recv(4096).decode().split('\\n')), flush=True)
`;

/** What services say to their manager. */
export interface Notified {
  /** The lines of the next datagram. */
  next(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Listens at a NOTIFY_SOCKET. */
export async function notifiedAt(socket: string): Promise<Notified> {
  const child = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<readonly string[]> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the receiver has ended');
    const parsed: string[] = JSON.parse(value);
    return parsed;
  };
  await next();
  return {
    next,
    close: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
