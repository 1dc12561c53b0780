import { Command } from 'commander';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { registerCga, verifyLine } from '../../src/cli/cga.ts';
import { vectors } from '../cga/vectors.ts';

function start(argument = '-'): { input: PassThrough; output: PassThrough; done: Promise<unknown> } {
  const input = new PassThrough();
  const output = new PassThrough({ encoding: 'utf8' });
  const program = new Command().exitOverride();
  registerCga(program, { input, output });
  return { input, output, done: program.parseAsync(['node', 'loci', 'cga', 'verify', argument]) };
}

async function answersTo(...chunks: (string | Uint8Array)[]): Promise<unknown[]> {
  const { input, output, done } = start();
  for (const chunk of chunks) input.write(chunk);
  input.end();
  await done;
  const text = String(output.read() ?? '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line));
}

const BAD = { valid: false, reason: 'bad-input' };
const [row] = vectors.cga;
const good = JSON.stringify({ params: row?.cga_params_hex, address: row?.independent_address });
const OK = { valid: true, reason: 'ok' };

describe('loci cga verify -', () => {
  it('answers every vector as the RFC has it, in order', async () => {
    const questions = [
      ...vectors.cga.map((v) => ({ params: v.cga_params_hex, address: v.independent_address, expected: v.rfc_verify })),
      ...vectors.cga_negative.map((v) => ({ params: v.cga_params_hex, address: v.address, expected: v.rfc_verify })),
      ...vectors.hba.flatMap((v) =>
        v.independent_addresses.map((address) => ({ params: v.cga_params_hex, address, hba: true, expected: true })),
      ),
      ...vectors.hba_negative.map((v) => ({
        params: v.cga_params_hex,
        address: v.address,
        hba: true,
        expected: v.rfc5535_verify,
      })),
    ];
    const answers = await answersTo(questions.map((question) => `${JSON.stringify(question)}\n`).join(''));
    expect(answers).toEqual(
      questions.map(({ expected }) => ({ valid: expected, reason: expected ? 'ok' : expect.any(String) })),
    );
    expect(questions.length).toBeGreaterThan(110);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['JSON that is no object', '[]'],
    ['null', 'null'],
    ['no parameters', '{"address":"::1"}'],
    ['no address', '{"params":"00"}'],
    ['parameters that are not hexadecimal', '{"params":"0x00","address":"::1"}'],
    ['an odd number of digits', '{"params":"000","address":"::1"}'],
    ['parameters that are no text', '{"params":12,"address":"::1"}'],
    ['an address with a zone', '{"params":"00","address":"fe80::1%eth0"}'],
    ['an address with a length', '{"params":"00","address":"fe80::1/64"}'],
    ['hba that is no boolean', '{"params":"00","address":"::1","hba":"yes"}'],
    ['octets that are no UTF-8', Uint8Array.of(0xff, 0xfe)],
  ])('answers bad-input to a line with %s, and goes on', async (_what, line) => {
    expect(await answersTo(line, '\n', `${good}\n`)).toEqual([BAD, OK]);
  });

  it('answers parameters that are too short as a verdict, not as bad input', () => {
    expect(verifyLine('{"params":"","address":"::1"}')).toEqual({ valid: false, reason: 'truncated' });
  });

  it('answers each line before the next arrives', async () => {
    const { input, output, done } = start();
    for (let i = 0; i < 3; i++) {
      const answered = new Promise((resolve) => output.once('data', resolve));
      input.write(`${good}\n`);
      expect(await answered).toBe('{"valid":true,"reason":"ok"}\n');
    }
    input.end();
    await done;
  });

  it('takes lines cut anywhere, with CR LF, and a last one without newline', async () => {
    const text = Buffer.from(`${good}\r\n${good}\n${good}`);
    for (const size of [1, 7, 64]) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.subarray(i * size, (i + 1) * size),
      );
      expect(await answersTo(...chunks)).toEqual([OK, OK, OK]);
    }
    expect(await answersTo('')).toEqual([]);
    expect(await answersTo('\n\n')).toEqual([BAD, BAD]);
  });

  it('answers bad-input to a line without end, and does not keep it', async () => {
    const block = new Uint8Array(1 << 16).fill(0x61);
    expect(await answersTo(...Array.from({ length: 40 }, () => block), `\n${good}\n`)).toEqual([BAD, OK]);
  });

  it('reads a file, and says when there is none', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loci-cga-'));
    try {
      const file = join(folder, 'lines');
      writeFileSync(file, `${good}\n`);
      const { output, done } = start(file);
      await done;
      expect(output.read()).toBe('{"valid":true,"reason":"ok"}\n');
      await expect(start(join(folder, 'absent')).done).rejects.toMatchObject({
        code: 'stream',
        file: join(folder, 'absent'),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('ends quietly when nobody reads any more', async () => {
    const { input, output, done } = start();
    output.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    input.write(`${good}\n`);
    input.end();
    await expect(done).resolves.toBeDefined();
  });
});
